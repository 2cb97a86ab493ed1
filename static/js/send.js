// Sending: the bubble appears at once under an id of our own, turns into the server's message when the answer comes,
// and goes back into the composer with the reason if it is refused.
import { ask, composer, goTo, on, parse, thread } from "./page.js";
import { addMessages } from "./merge.js";
import { complain, settle, write } from "./composer.js";
import { forgetDraft } from "./drafts.js";
import { toEnd } from "./follow.js";

let queue = Promise.resolve();

on("submit", "[data-composer]", (event, form) => {
  event.preventDefault();
  const field = form.querySelector("[data-input]"), text = field.value;
  if (!text.trim() || form.classList.contains("over") || form.classList.contains("busy")) return;
  const body = new FormData(form);
  body.set("client_id", idFor(form, text));
  complain(form);
  if (thread()) send(form, field, text, body);
  else start(form, body);
});

/** What came back unsent may have arrived after all: sent again under its first id, it is stored once. */
function idFor(form, text) {
  const again = form.unsent?.text === text ? form.unsent.id : "";
  form.unsent = null;
  return again || (crypto.randomUUID?.() ?? madeUuid());
}

function send(form, field, text, body) {
  const bubble = bubbleFor(text, body.get("client_id"));
  thread().append(bubble);
  toEnd();
  empty(form, field);
  const url = form.action;
  queue = queue.then(async () => {
    try {
      const html = await ask(url, { method: "POST", body });
      if (bubble.isConnected) addMessages(bubble.closest("[data-thread]"), html);
    } catch (problem) {
      bubble.remove();
      form.unsent = { text, id: body.get("client_id") };
      giveBack(form, text, problem);
    }
  });
}

async function start(form, body) {
  form.classList.add("busy");
  try {
    const path = await ask(form.action, { method: "POST", body });
    forgetDraft(form);
    await goTo(path);
  } catch (problem) {
    complain(form, problem.status ? problem.message : form.dataset.unreachable);
  }
  form.classList.remove("busy");
}

function empty(form, field) {
  field.value = "";
  forgetDraft(form);
  settle(field);
}

/** Back into the composer, before what was begun meanwhile, in the conversation it was meant for. */
function giveBack(form, text, problem) {
  if (composer() !== form) return;
  const begun = form.querySelector("[data-input]").value;
  write(begun ? `${text}\n\n${begun}` : text);
  complain(form, problem.status ? problem.message : form.dataset.unreachable);
}

function bubbleFor(text, client) {
  const bubble = parse(document.getElementById("bubble-template").innerHTML).firstElementChild;
  bubble.id = `m-${client}`;
  bubble.dataset.client = client;
  bubble.querySelector("[data-text]").textContent = text;
  return bubble;
}

/** For pages over plain http, where browsers hold randomUUID back. */
function madeUuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
}
