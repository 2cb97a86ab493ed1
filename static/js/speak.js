// For screen readers: a reply is read out by whole sentences as it grows, instead of by scraps.
import { messageById } from "./page.js";

const region = document.querySelector("[data-speech]");
const SENTENCE = /[\s\S]*?[.!?…。！？](?=\s)\s*|[\s\S]*?\n\n/y;

let spoken = { message: "", text: "", at: 0 };

document.addEventListener("message:grown", (event) => {
  const id = event.target.dataset.message;
  if (event.target.previousElementSibling?.matches("[data-compared]")) return; // one voice: the first of them
  if (spoken.message !== id) spoken = { message: id, text: "", at: 0 };
  const { text, offset } = event.detail;
  spoken.text = spoken.text.slice(0, offset) + text;
  speak();
});

function speak() {
  SENTENCE.lastIndex = spoken.at;
  for (let found; (found = SENTENCE.exec(spoken.text)); spoken.at = SENTENCE.lastIndex) say(found[0]);
}

function say(sentence) {
  const plain = sentence
    .replace(/```[\s\S]*?(```|$)/g, region.dataset.code)
    .replace(/(^\|.*\n?)+/gm, region.dataset.table)
    .replace(/[*`#>]|(?<!\w)_|_(?!\w)/g, "")
    .trim();
  if (!plain) return;
  const line = document.createElement("p");
  line.textContent = plain;
  region.append(line);
  while (region.children.length > 6) region.firstElementChild.remove();
}

document.addEventListener("message:settled", (event) => {
  if (event.target.matches("[data-compared]")) say(event.target.querySelector("h2").textContent);
  if (event.target.dataset.message !== spoken.message || !messageById(spoken.message)) return;
  say(event.detail.text.slice(spoken.at));
  say(region.dataset.done);
  spoken = { message: "", text: "", at: 0 };
});
