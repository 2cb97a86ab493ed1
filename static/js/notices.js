// Short words about what just happened, in the corner; an undo goes with them where there is one.
import { isReadByItself, on, parse, words } from "./page.js";

const MILLISECONDS = 7_000;
const region = document.querySelector("[data-notices]");

export function notice(text, { undo = "", stays = false } = {}) {
  const box = parse(document.getElementById("notice-template").innerHTML).firstElementChild;
  box.querySelector("[data-words]").textContent = text;
  const button = box.querySelector("[data-undo]");
  button.hidden = !undo;
  button.dataset.undo = undo;
  region.append(box);
  while (region.children.length > 3) region.firstElementChild.remove();
  if (!stays) later(box);
}

/** Nobody answers. */
export const unreachable = () => notice(region.dataset.unreachable);

/** Goes after a while, unless somebody points at it or is in it. */
function later(box) {
  setTimeout(() => (box.matches(":hover, :focus-within") ? later(box) : box.remove()), MILLISECONDS);
}

on("click", "[data-dismiss]", (_event, button) => button.closest(".notice").remove());
on("click", "[data-undo]", (_event, button) => {
  htmx.ajax("POST", button.dataset.undo, { source: "#undo", target: "body", swap: "none" });
  button.closest(".notice").remove();
});

document.addEventListener("notice", ({ detail }) => notice(detail.text, detail));
document.addEventListener("htmx:responseError", ({ detail }) => {
  if (!isReadByItself(detail.elt)) notice(words(detail.xhr.responseText), { stays: true });
});
document.addEventListener("htmx:sendError", ({ detail }) => isReadByItself(detail.elt) || unreachable());
for (const box of region.children) later(box);
