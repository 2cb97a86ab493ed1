// How things stand with the connection, in words, in the line below the composer.
const STATE_AFTER = 1_500; // a short break is not worth a word

let state = "", waiting = 0, timer;

export const isOpen = () => state === "open";

/** The state of the connection: open, broken or signedOut. */
export function show(next) {
  if (next === state) return;
  state = next;
  clearTimeout(timer);
  timer = setTimeout(write, state === "broken" && navigator.onLine ? STATE_AFTER : 0);
}

/** How many messages wait to be sent. */
export function showWaiting(count) {
  waiting = count;
  write();
}

function write() {
  const shown = state === "broken" ? (navigator.onLine ? "reconnecting" : "offline") : state;
  document.body.dataset.live = shown;
  for (const place of document.querySelectorAll("[data-state]")) {
    const words = place.dataset;
    const count = waiting === 1 ? words.waitsOne : waiting ? words.waitsMany.replace("{n}", waiting) : "";
    place.textContent = [words[shown], count].filter(Boolean).join(" ");
    place.parentElement.querySelector("[data-sign-in]").hidden = shown !== "signedOut";
  }
}

window.addEventListener("offline", write);
window.addEventListener("online", write);
document.addEventListener("page:shown", write);
