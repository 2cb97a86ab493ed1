// The behaviours of the chat pages. Each listens on the document, so it also works on what htmx brings in.
import "./live.js";
import "./thread.js";
import "./stream.js";
import "./follow.js";
import "./older.js";
import "./composer.js";
import "./drafts.js";
import "./files.js";
import "./send.js";
import "./waiting.js";
import "./line.js";
import "./edit.js";
import "./models.js";
import "./compare.js";
import "./wishes.js";
import "./menu.js";
import "./dialog.js";
import "./notices.js";
import "./list.js";
import "./unread.js";
import "./receipts.js";
import "./typing.js";
import "./presence.js";
import "./kept.js";
import "./copy.js";
import "./keys.js";
import "./speak.js";
import "./theme.js";

// `page:shown` tells that another page stands in the middle: at first, and after each step htmx takes.
const shown = () => document.dispatchEvent(new CustomEvent("page:shown"));

document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target?.id === "main") shown();
});
document.addEventListener("htmx:historyRestore", shown);
shown();
