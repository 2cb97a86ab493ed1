// What is sent goes through here: kept until the server has it, sent in order, by one tab at a time. The client id
// makes a repeat harmless. Tells the page `outbox:sent`, `outbox:refused` and `outbox:changed`, in every tab.
import { drop, keep, waiting } from "./store.js";
import { isSignIn, words } from "./page.js";
import { isOutdated } from "./session.js";
import { showWaiting } from "./state.js";

const NAME = `outbox:${document.body.dataset.user}`;
const UNREACHABLE = [408, 425, 429, 502, 503, 504], SIGNED_OUT = 401;
const PATIENCE = 30_000, SLOWEST = 30_000; // milliseconds
const TOO_LONG = 60; // seconds: who is told to come back later than that is told why, and not kept waiting
const channel = window.BroadcastChannel ? new BroadcastChannel(NAME) : null;

let isStuck = false, running = null, again = false, failures = 0, sending = "", retry;

/** Whether what waits has been tried in vain, here or in another tab. */
export const isWaiting = () => isStuck;

/** Whether this tab waits for the answer to this very item. */
export const isSending = (client) => client === sending;

export async function send(item) {
  await keep(item);
  channel?.postMessage({ type: "changed", detail: { isStuck } });
  drain();
}

/** Takes an item back, if it has not arrived meanwhile. */
export const takeBack = (client) =>
  locked(async () => {
    const item = (await waiting()).find((one) => one.client === client);
    if (item) await drop(item);
    tell("changed", { isStuck });
    return item;
  });

/** Sends what waits. Several wishes at once are one. */
export function drain() {
  clearTimeout(retry);
  again = Boolean(running);
  running ??= locked(sendAll).finally(() => {
    running = null;
    if (again) drain();
  });
}

/** One sender at a time. A tab that sleeps with the lock is not waited for: a repeat does no harm. */
async function locked(action) {
  if (!navigator.locks) return action();
  let begun = false;
  const begin = () => action((begun = true));
  return navigator.locks.request(NAME, { signal: AbortSignal.timeout(PATIENCE) }, begin).catch((problem) => {
    if (begun) throw problem;
    return action();
  });
}

async function sendAll() {
  for (;;) {
    const [item] = await waiting();
    if (!item) return settled(false);
    if (isOutdated()) return settled(true);
    sending = item.client;
    const { status, text, wait } = await post(item).catch(() => ({ status: 0 }));
    if (!status || status === SIGNED_OUT || (UNREACHABLE.includes(status) && wait < TOO_LONG)) return settled(true);
    await drop(item);
    failures = 0;
    if (status < 400) tell("sent", { item, html: text });
    else tell("refused", { item, words: words(text) });
    sending = "";
  }
}

function settled(stuck) {
  sending = "";
  if (stuck) retry = setTimeout(drain, Math.min(SLOWEST, 2_000 * 2 ** failures++));
  if (stuck || isStuck) tell("changed", { isStuck: stuck });
}

async function post({ url, text, files, model, models, wishes, client }) {
  const body = new FormData();
  body.set("csrfmiddlewaretoken", document.querySelector("[name=csrfmiddlewaretoken]").value);
  body.set("content", text);
  body.set("client_id", client);
  for (const { id } of files ?? []) body.append("attachments", id);
  if (model) body.set("model", model);
  for (const [name, value] of Object.entries(wishes ?? {})) body.set(name, value);
  for (const name of models ?? []) body.append("models", name);
  const options = { method: "POST", body, headers: { "HX-Request": "true" }, signal: AbortSignal.timeout(PATIENCE) };
  const response = await fetch(url, options), isRefused = isSignIn((name) => response.headers.get(name));
  const wait = Number(response.headers.get("Retry-After")) || 0;
  return { status: isRefused ? SIGNED_OUT : response.status, text: await response.text(), wait };
}

function tell(type, detail) {
  channel?.postMessage({ type, detail });
  hear(type, { ...detail, isOwn: true });
}

async function hear(type, detail) {
  if (type === "changed") isStuck = detail.isStuck;
  document.dispatchEvent(new CustomEvent(`outbox:${type}`, { detail }));
  showWaiting(isStuck ? (await waiting()).length : 0);
}

if (channel) channel.onmessage = ({ data }) => hear(data.type, data.detail);
window.addEventListener("online", drain);
document.addEventListener("live:hello", drain);
