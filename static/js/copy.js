// Copying a message as it was written or a block of code, and wrapping long lines of code.
import { ask, on } from "./page.js";

const MILLISECONDS = 1_600;

/** `text` may be a promise: browsers want the copy to begin with the press itself. */
async function copy(text) {
  if (window.ClipboardItem && navigator.clipboard?.write) {
    const plain = Promise.resolve(text).then((value) => new Blob([value], { type: "text/plain" }));
    return navigator.clipboard.write([new ClipboardItem({ "text/plain": plain })]);
  }
  if (navigator.clipboard) return navigator.clipboard.writeText(await text);
  copyBySelection(await text);
}

/** For pages over plain http, which have no clipboard of their own. */
function copyBySelection(text) {
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "visually-hidden";
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

async function press(button, text) {
  await copy(text);
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), MILLISECONDS);
  document.querySelector("[data-speech]").textContent = document.querySelector("[data-speech]").dataset.copied;
}

on("click", "[data-copy]", (_event, button) => press(button, button.closest("figure").querySelector("pre").textContent));
on("click", "[data-copy-message]", (_event, button) => press(button, ask(button.dataset.copyMessage)));
on("click", "[data-wrap]", (_event, button) => {
  button.ariaPressed = String(button.ariaPressed !== "true");
});
