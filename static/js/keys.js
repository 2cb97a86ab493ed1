// Keys that work anywhere on the page. `?` lists them.
import { composer, goTo } from "./page.js";

const isMac = /Mac|iPhone|iPad/.test(navigator.platform);
const names = { find: isMac ? "⌘ K" : "Ctrl K", new: isMac ? "⇧ ⌘ O" : "Ctrl ⇧ O" };
for (const place of document.querySelectorAll("[data-shortcut]")) place.textContent = names[place.dataset.shortcut];

const shortcuts = () => document.getElementById("shortcuts").showModal();
const isWriting = (element) => element.matches("input, textarea, select, [contenteditable]");

function focusFind() {
  const side = document.getElementById("side");
  if (getComputedStyle(side).display === "none") side.showPopover();
  side.querySelector("[data-find]").select();
}

function step(by) {
  const messages = [...document.querySelectorAll(".message")];
  const at = messages.indexOf(document.activeElement.closest(".message"));
  const next = messages[at < 0 ? messages.length - 1 : at + by];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
}

const inMessage = { c: "copy", e: "edit", r: "regenerate", ArrowLeft: "previous", ArrowRight: "next", Delete: "delete" };
const anywhere = {
  "?": shortcuts,
  "/": () => composer()?.querySelector("[data-input]").focus(),
  j: () => step(1),
  k: () => step(-1),
};

document.addEventListener("keydown", (event) => {
  const isCommand = isMac ? event.metaKey : event.ctrlKey;
  if (isCommand && !event.shiftKey && event.key.toLowerCase() === "k") return take(event, focusFind);
  if (isCommand && event.shiftKey && event.key.toLowerCase() === "o") return take(event, () => goTo("/"));
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (isWriting(event.target) || document.querySelector("dialog[open]")) return;
  const button = event.target.matches(".message") && event.target.querySelector(`[data-key="${inMessage[event.key]}"]`);
  if (button) return take(event, () => button.click());
  if (anywhere[event.key]) take(event, anywhere[event.key]);
});

function take(event, action) {
  event.preventDefault();
  action();
}

document.addEventListener("click", (event) => event.target.closest?.("[data-shortcuts]") && shortcuts());
