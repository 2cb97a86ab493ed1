// Tells the server how far the open conversation is read: when its newest message is in view, and somebody looks.
import { conversation, thread } from "./page.js";
import { say } from "./tabs.js";
import { isOpen } from "./state.js";
import { setUnread, unreadOf } from "./unread.js";

const LOOK_AFTER = 200; // milliseconds
const told = new Map(); // the last message that was told as read, of each conversation
const news = new Set();
let timer;

function lookSoon() {
  clearTimeout(timer);
  timer = setTimeout(look, LOOK_AFTER);
}

function look() {
  const id = conversation(), newest = thread() && newestEnded();
  if (!newest || document.hidden || !isOpen() || !isInView(newest)) return;
  const message = newest.dataset.message;
  if (told.get(id) === message || !(unreadOf(id) || news.has(id))) return;
  told.set(id, message);
  news.delete(id);
  say("ack", { conversation: id, message, state: "read" });
  setUnread(id, 0);
}

const newestEnded = () =>
  [...thread().querySelectorAll(".message[data-message]")].findLast(
    ({ dataset }) => dataset.status !== "queued" && dataset.status !== "streaming",
  );

function isInView(message) {
  const box = document.querySelector("[data-scroll]").getBoundingClientRect(), at = message.getBoundingClientRect();
  return at.top < box.bottom && at.bottom > box.top;
}

function isNew({ target }) {
  if (target.matches(".user") && !document.querySelector(".chat[data-shared]")) return;
  news.add(conversation());
  told.delete(conversation()); // of replies side by side the newest may end first
  look();
}

for (const type of ["message:settled", "message:added"]) document.addEventListener(type, isNew);
for (const type of ["page:shown", "visibilitychange", "live:hello"]) document.addEventListener(type, lookSoon);
document.addEventListener("scroll", lookSoon, { capture: true, passive: true });
