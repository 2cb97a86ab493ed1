// A reply that waits for a free place at its model's providers says how many are ahead of it.
import { messageById } from "./page.js";

const FORGOTTEN_AFTER = 6_000; // milliseconds; the server says it again every two seconds
const heardAt = new Map();

/** Whether the message stands in line: it has nothing to show, and nothing of it was lost. */
export const isInLine = (id) => Date.now() - (heardAt.get(id) ?? 0) < FORGOTTEN_AFTER;

document.addEventListener("live:reply.waiting", ({ detail: { data } }) => {
  if (data.position) heardAt.set(data.message, Date.now());
  else heardAt.delete(data.message);
  const message = messageById(data.message);
  if (message && Number(message.dataset.attempt) <= data.attempt) show(message.querySelector("[data-line]"), data.position);
});

function show(words, position) {
  if (!words) return;
  const ahead = position - 1;
  words.textContent = ahead > 0 ? words.dataset.ahead.replace("{n}", ahead) : words.dataset.next;
  words.hidden = !position;
}
