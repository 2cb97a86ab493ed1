// Who else is here, in a conversation that several people share; and whether somebody is here at all.
import { conversation } from "./page.js";
import { want } from "./tabs.js";

const IDLE = 5 * 60_000; // milliseconds without a sign until nobody is taken to be there
const me = `user:${document.body.dataset.user}`;
const others = new Map();
let isActive = true, idle;

function sign() {
  clearTimeout(idle);
  idle = setTimeout(() => become(false), IDLE);
  become(!document.hidden);
}

function become(next) {
  if (next === isActive) return;
  isActive = next;
  want({ active: isActive });
}

for (const type of ["pointermove", "pointerdown", "keydown", "wheel", "touchstart", "visibilitychange"]) {
  document.addEventListener(type, sign, { passive: true });
}
sign();

document.addEventListener("live:presence", ({ detail: { conversation: id, data } }) => {
  if (data.author === me || id !== conversation()) return;
  if (data.state === "offline") others.delete(data.author);
  else others.set(data.author, data);
  show();
});

function show() {
  const place = document.querySelector("[data-presence]");
  if (!place) return;
  const here = [...others.values()].filter(({ state }) => state === "online").map(({ name }) => name);
  place.textContent = here.length ? place.dataset.words.replace("{names}", here.join(", ")) : "";
  place.hidden = !here.length;
}

document.addEventListener("page:shown", () => {
  others.clear();
  show();
});
document.addEventListener("htmx:afterSettle", show);
