// Sending: the bubble appears at once under an id of our own, turns into the server's message when the answer comes,
// and goes back into the composer with the reason if it is refused.
import { composer, conversation, goTo, messageById, on, parse, thread } from "./page.js";
import { addMessages } from "./merge.js";
import { complain, settle, write } from "./composer.js";
import { addToDraft, forgetDraft } from "./drafts.js";
import { addressOf, giveFilesBack, hasFiles, hindrance, isUploading, takeFiles } from "./files.js";
import { send } from "./outbox.js";
import { toEnd } from "./follow.js";
import { refresh } from "./thread.js";
import { takeCompared } from "./compare.js";
import { giveWishes, hasWishes, wishesOf } from "./wishes.js";

const started = new Set(); // what was sent from here to begin a conversation with

on("submit", "[data-composer]", (event, form) => {
  event.preventDefault();
  const field = form.querySelector("[data-input]"), text = field.value;
  if ((!text.trim() && !hasFiles(form)) || form.classList.contains("over") || form.classList.contains("busy")) return;
  const problem = hindrance(form);
  if (problem) return complain(form, problem);
  form.classList.toggle("sending", isUploading(form));
  if (isUploading(form)) return; // it goes out as soon as they are there
  const model = form.querySelector("[data-model]")?.value ?? "";
  const models = takeCompared(form), files = takeFiles(form);
  const item = { client: idFor(form, text, files), conversation: conversation(), url: form.getAttribute("action"), text, files, model, models, wishes: wishesOf(form), at: Date.now() };
  complain(form);
  if (item.conversation) {
    thread().append(bubbleFor(item));
    toEnd();
    empty(form);
  } else {
    started.add(item.client);
    form.classList.add("busy");
  }
  send(item);
});

/** What came back unsent may have arrived after all: sent again under its first id, it is stored once. */
function idFor(form, text, files) {
  const again = form.unsent?.text === text && form.unsent.files === namesOf(files) ? form.unsent.id : "";
  form.unsent = null;
  return again || (crypto.randomUUID?.() ?? madeUuid());
}

const namesOf = (files) => (files ?? []).map(({ id }) => id).join();

on("files:settled", "[data-composer].sending", (_event, form) => {
  form.classList.remove("sending");
  form.requestSubmit();
});

// Whoever goes on writing, or takes a file out, decides anew.
on("input", "[data-composer].sending", (_event, form) => form.classList.remove("sending"));

export function empty(form) {
  const field = form.querySelector("[data-input]");
  field.value = "";
  forgetDraft(form);
  if (hasWishes(form)) giveWishes(form);
  settle(field);
}

document.addEventListener("outbox:sent", ({ detail: { item, html, isOwn } }) => {
  if (!item.conversation) return begun(item, html, isOwn);
  const bubble = messageById(item.client);
  if (!isOwn || !bubble?.matches(".pending")) return;
  const isGoingOn = thread().querySelector("[data-comparison]"); // without a choice: the first reply is what it follows
  addMessages(bubble.closest("[data-thread]"), html);
  if (isGoingOn) refresh();
});

function begun(item, path) {
  const form = composer();
  if (!started.delete(item.client) || conversation() || !form) return;
  const isWritten = form.classList.contains("busy");
  form.classList.remove("busy");
  if (isWritten) forgetDraft(form);
  if (isWritten || !form.querySelector("[data-input]").value) goTo(path);
}

document.addEventListener("outbox:refused", ({ detail: { item, words, isOwn } }) => {
  messageById(item.client)?.remove();
  started.delete(item.client);
  const form = composer();
  if (!form || conversation() !== item.conversation) return isOwn && addToDraft(item);
  form.classList.remove("busy");
  giveBack(form, item, words);
});

/** Back into the composer, before what was begun meanwhile. */
export function giveBack(form, item, words = "") {
  const begun = form.querySelector("[data-input]").value;
  if (!begun.startsWith(item.text)) write(begun ? `${item.text}\n\n${begun}` : item.text);
  giveFilesBack(form, item.files);
  if (!hasWishes(form)) giveWishes(form, item.wishes);
  form.unsent = { text: item.text, files: namesOf(item.files), id: item.client };
  complain(form, words);
}

export function bubbleFor({ client, text, files }) {
  const bubble = parse(document.getElementById("bubble-template").innerHTML).firstElementChild;
  bubble.id = `m-${client}`;
  bubble.dataset.client = client;
  bubble.querySelector("[data-text]").textContent = text;
  bubble.querySelector(".bubble").hidden = !text;
  bubble.querySelector(".files").append(...(files ?? []).map(drawingOf));
  return bubble;
}

function drawingOf({ id, name, type }) {
  const isImage = type.startsWith("image/"), template = isImage ? "sent-image-template" : "sent-template";
  const drawing = parse(document.getElementById(template).innerHTML).firstElementChild;
  if (isImage) Object.assign(drawing.querySelector("img"), { src: `${addressOf(id)}content?preview=true`, alt: name });
  else drawing.querySelector("[data-name]").textContent = name;
  return drawing;
}

/** For pages over plain http, where browsers hold randomUUID back: the address of a blob ends in one. */
function madeUuid() {
  const address = URL.createObjectURL(new Blob());
  URL.revokeObjectURL(address);
  return address.slice(-36);
}
