// Who is writing in a conversation that several people share.
import { conversation, on } from "./page.js";
import { say } from "./tabs.js";

const SHOWN_FOR = 6_000, TOLD_EVERY = 2_000; // milliseconds
const me = `user:${document.body.dataset.user}`;
const writing = new Map(); // names and when they end, by author
let toldAt = 0;

const isShared = () => Boolean(document.querySelector(".chat[data-shared]"));

function told(isOn) {
  toldAt = isOn ? Date.now() : 0;
  say("typing", { conversation: conversation(), on: isOn });
}

on("input", "[data-composer] [data-input]", (_event, field) => {
  if (!isShared()) return;
  if (!field.value.trim()) return toldAt && told(false);
  if (Date.now() - toldAt >= TOLD_EVERY) told(true);
});
on("submit", "[data-composer]", () => isShared() && toldAt && told(false));

document.addEventListener("live:typing", ({ detail: { conversation: id, data } }) => {
  if (id !== conversation() || data.author === me) return;
  stop(data.author);
  if (data.on) writing.set(data.author, { name: data.name, timer: setTimeout(() => { stop(data.author); show(); }, SHOWN_FOR) });
  show();
});

function stop(author) {
  clearTimeout(writing.get(author)?.timer);
  writing.delete(author);
}

function show() {
  const place = document.querySelector("[data-typing]");
  if (!place) return;
  const names = [...writing.values()].map(({ name }) => name);
  const words = names.length === 1 ? place.dataset.one : place.dataset.many;
  place.querySelector("[data-words]").textContent = names.length ? words.replace("{names}", names.join(", ")) : "";
  place.hidden = !names.length;
}

document.addEventListener("page:shown", () => {
  for (const author of [...writing.keys()]) stop(author);
  toldAt = 0;
  show();
});
