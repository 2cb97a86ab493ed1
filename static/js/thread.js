// Keeps the open thread what the events say. One after the other: a reply's place is below a message that may still
// be on its way.
import { ask, conversation, goTo, messageById, parse, thread } from "./page.js";
import { addMessages, mergeThread, update } from "./merge.js";
import { begin, forget, isStreamed } from "./stream.js";
import { isInLine } from "./line.js";
import { keepPlace } from "./follow.js";
import { isOpen as isConnected } from "./state.js";
import { isSending } from "./outbox.js";

const LOOK_AGAIN = 1_000; // milliseconds

const waiting = new Set(); // threads about to be read anew
let work = Promise.resolve(), left = "";

const source = () => thread()?.dataset.source;

/** What was asked for one thread is left when another has taken its place. */
function inOrder(action) {
  const asked = source();
  const step = () => (asked && asked === source() ? action(asked) : null);
  work = work.then(step).catch(() => {}); // the next event or a reload brings what could not be fetched
}

/** The thread as the server has it now; several wishes at once are one. */
export function refresh() {
  const asked = source();
  if (waiting.has(asked)) return;
  waiting.add(asked);
  work = work.then(() => waiting.delete(asked));
  inOrder(async () => {
    const html = await ask(asked).catch((problem) => {
      if (problem.status === 404 && asked === source()) leave();
      throw problem;
    });
    if (asked === source()) mergeThread(thread(), html);
  });
}

/** The conversation is gone, as may be heard from several sides. */
function leave() {
  if (left === conversation()) return;
  left = conversation();
  const text = document.querySelector("[data-notices]").dataset.deleted;
  goTo("/", "replace");
  document.body.dispatchEvent(new CustomEvent("notice", { detail: { text }, bubbles: true }));
}

function added({ detail: { data } }) {
  inOrder(async (asked) => {
    if (messageById(data.message) || isOnItsWay(data.client_id)) return;
    const last = [...thread().querySelectorAll(".message:not(.pending)")].at(-1);
    if ((last?.dataset.message ?? "") !== (data.parent ?? "")) return refresh();
    const html = await ask(`${asked}${data.message}/`);
    if (parse(html).querySelector("[data-compared]")) return refresh(); // it does not stand alone
    addMessages(thread(), html);
  });
}

/** Whether a bubble stands for it until the answer to its sending comes to this tab. */
const isOnItsWay = (client) => Boolean(client && isSending(client) && messageById(client));

function redrawn({ detail: { data } }) {
  inOrder(async (asked) => {
    const message = messageById(data.message);
    if (!message || Number(message.dataset.attempt) > data.attempt) return;
    const fresh = await drawing(asked, data.message);
    forget(data.message);
    keepPlace(() => update(message, fresh));
    message.dispatchEvent(new CustomEvent("message:settled", { bubbles: true, detail: { text: data.text ?? "" } }));
  });
}

const drawing = async (asked, id) => parse(await ask(`${asked}${id}/`)).querySelector(".message");

// A delta may be lost, and a reply that pauses sends no other: one that still shows nothing is looked at again.
setInterval(() => {
  if (!isConnected()) return;
  for (const { dataset } of thread()?.querySelectorAll('[data-status="streaming"]') ?? []) {
    if (!isStreamed(dataset.message) && !isInLine(dataset.message)) inOrder((asked) => lookAt(asked, dataset.message));
  }
}, LOOK_AGAIN);

async function lookAt(asked, id) {
  const fresh = await drawing(asked, id), message = messageById(id);
  if (message && !isStreamed(id)) keepPlace(() => update(message, fresh));
}

const isOpen = (event) => event.detail.conversation === conversation() && thread();
const listen = (type, action) =>
  document.addEventListener(`live:${type}`, (event) => isOpen(event) && action(event));

listen("message.created", added);
listen("reply.queued", (event) => (messageById(event.detail.data.message) ? redrawn(event) : added(event)));
listen("reply.started", ({ detail: { data } }) => inOrder(() => begin(data.message, data.attempt)));
listen("reply.restarted", ({ detail: { data } }) => inOrder(() => begin(data.message, data.attempt)));
for (const type of ["reply.completed", "reply.failed", "reply.stopped"]) listen(type, redrawn);
listen("context.summarised", refresh);
listen("message.deleted", ({ detail: { data } }) => messageById(data.message) && refresh());
listen("conversation.updated", ({ detail: { data } }) => data.changed?.includes("branch") && refresh());

listen("conversation.deleted", leave);

// Answers that target the thread are brought in piece by piece instead of exchanging all of it.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id !== "thread" || event.detail.xhr.status >= 400) return;
  event.detail.shouldSwap = false;
  if (event.detail.xhr.status === 200) mergeThread(event.detail.target, event.detail.serverResponse);
});

// After a break the thread is read anew: what was sent into it may have arrived without an answer.
document.addEventListener("live:again", refresh);
document.addEventListener("live:stale", refresh);
