// The view follows the end while the reader is there, and stays where it is otherwise.
const NEAR = 64; // pixels from the end that still count as being there

let following = true;
const scroller = () => document.querySelector("[data-scroll]");

export function toEnd(smooth = false) {
  const box = scroller();
  box?.scrollTo({ top: box.scrollHeight, behavior: smooth && !calm.matches ? "smooth" : "instant" });
  following = true;
}

/** Changes the thread without moving what is being read; at the end, the end is kept. */
export function keepPlace(change) {
  const box = scroller();
  const anchor = box && !following ? firstSeen(box) : null;
  const before = anchor?.getBoundingClientRect().top;
  const columns = [...document.querySelectorAll("[data-comparison] > .message")].filter(isAtEnd);
  change();
  for (const column of columns) column.scrollTop = column.scrollHeight;
  if (!box) return;
  if (following) toEnd();
  else if (anchor?.isConnected) box.scrollTop += anchor.getBoundingClientRect().top - before;
}

/** A column that scrolls by itself follows its own end. */
const isAtEnd = (column) => column.scrollHeight - column.clientHeight - column.scrollTop < NEAR;

function firstSeen(box) {
  const top = box.getBoundingClientRect().top;
  return [...box.querySelectorAll(".message")].find((message) => message.getBoundingClientRect().bottom > top);
}

const calm = matchMedia("(prefers-reduced-motion: reduce)");

function look() {
  const box = scroller();
  if (!box) return;
  const left = box.scrollHeight - box.clientHeight - box.scrollTop;
  following = left < NEAR;
  const button = box.querySelector("[data-latest]");
  if (button) button.hidden = left < box.clientHeight / 2;
}

const growth = new ResizeObserver(() => {
  if (following) toEnd();
  look();
});

document.addEventListener("scroll", (event) => event.target === scroller() && look(), { capture: true, passive: true });
document.addEventListener("click", (event) => event.target.closest?.("[data-latest]") && toEnd(true));
document.addEventListener("page:shown", () => {
  growth.disconnect();
  const box = scroller();
  if (!box) return;
  const named = document.getElementById(location.hash.slice(1));
  if (named?.matches(".message")) {
    following = false;
    named.scrollIntoView({ block: "start" });
  } else toEnd();
  box.dataset.ready = "";
  growth.observe(box.querySelector("[data-thread]"));
  growth.observe(box);
});
