// What stays readable offline. The service worker keeps pages as they come; what has changed on one since is told to
// it from here. A page that it had kept says so, and since when.
import { chat, conversation, on, thread } from "./page.js";

const KEEP_AFTER = 1_000, REGISTER_AFTER = 1_000, ASK_AGAIN = 5_000; // milliseconds
const worker = window.isSecureContext ? navigator.serviceWorker : undefined;
let timer, asking;

async function tell(message) {
  (await worker?.ready)?.active?.postMessage({ ...message, user: document.body.dataset.user });
}

function keepSoon() {
  clearTimeout(timer);
  timer = setTimeout(keep, KEEP_AFTER);
}

/** Not in mid-reply, nor while a message is edited: what is kept is read, nothing more. */
function keep() {
  if (!thread() || chat().closest("[data-kept]") || thread().querySelector('[data-status="streaming"], .editing')) return;
  const copy = chat().cloneNode(true);
  copy.querySelector("[data-ready]")?.removeAttribute("data-ready");
  for (const bubble of copy.querySelectorAll(".pending")) bubble.remove();
  const title = document.createElement("title");
  title.textContent = document.title;
  tell({ keep: { path: `/c/${conversation()}/`, html: title.outerHTML + copy.outerHTML, list: rows() } });
}

/** The list beside it, unless only some of it is shown. */
const rows = () =>
  document.querySelector("[data-find]").value ? "" : document.querySelector("[data-list]").innerHTML;

function say() {
  const kept = document.querySelector("[data-kept]"), note = kept?.querySelector("[data-kept-note]");
  if (!note) return;
  const at = new Date(Number(kept.dataset.kept)), isToday = at.toDateString() === new Date().toDateString();
  const day = isToday ? "" : `${at.toLocaleDateString(document.documentElement.lang, { day: "numeric", month: "long" })}, `;
  const time = at.toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  note.textContent = note.dataset.words.replace("{time}", day + time);
  note.hidden = false;
  later();
}

function later() {
  clearTimeout(asking);
  asking = setTimeout(refresh, ASK_AGAIN);
}

/** Once somebody answers again the page is brought up to date and goes on as any other. */
async function refresh() {
  const kept = document.querySelector("[data-kept]");
  if (!kept) return;
  const isAnswered = await fetch("/healthz").then((response) => response.ok).catch(() => false);
  if (!isAnswered) return later();
  delete kept.dataset.kept;
  kept.querySelector("[data-kept-note]").hidden = true;
  document.body.dispatchEvent(new CustomEvent("live:stale", { bubbles: true, detail: {} }));
}

document.addEventListener("live:hello", refresh);
window.addEventListener("online", refresh);
document.addEventListener("live:conversation.deleted", ({ detail }) => tell({ forget: `/c/${detail.conversation}/` }));
for (const type of ["message:settled", "message:added"]) document.addEventListener(type, keepSoon);
document.addEventListener("page:shown", () => {
  say();
  if (conversation() && !worker?.controller) keepSoon(); // it has passed the page on otherwise
});
on("click", "[data-reload]", () => location.reload());

if (worker) setTimeout(() => worker.register("/sw.js").catch(() => {}), REGISTER_AFTER); // without it, all but this works
