// Owns the one connection. Frames become DOM events `live:<type>`, on the open chat or else on the body.
import { conversation } from "./page.js";

const KEPT = 300; // events remembered: to know repeats, and to tell a page that has just been shown
const QUIET = 25_000; // milliseconds without a frame until we ask whether anybody is there
const STATE_AFTER = 1_500; // a short break is not worth a word

const recent = new Map();
let cursor = document.body.dataset.cursor ?? "";
let socket, watched = "", failures = 0, told = 0, retry, quiet, stateTimer;

function connect() {
  clearTimeout(retry);
  const address = `${location.origin.replace(/^http/, "ws")}/ws/?after=${encodeURIComponent(cursor)}`;
  const ours = (socket = new WebSocket(address));
  ours.onopen = () => watch(watched, true);
  ours.onmessage = (event) => take(JSON.parse(event.data));
  ours.onclose = (event) => ours === socket && lost(event.code);
  listen();
}

/** Hear of one conversation's replies as they grow. */
export function watch(next, again = false) {
  if (next === watched && !again) return;
  if (watched && watched !== next) say("unsubscribe", { conversation: watched });
  watched = next;
  if (next) say("subscribe", { conversation: next, form: "html" });
}

function say(type, data) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type, data }));
}

function take(frame) {
  listen();
  if (frame.cursor) cursor = frame.cursor;
  if (frame.type === "hello") return greeted(frame.data.cursor);
  if (frame.type === "resync") return location.reload();
  if (frame.type === "reconnect") return void (told = frame.data.after * 1000);
  if (frame.id !== undefined) {
    if (recent.has(frame.id)) return;
    recent.set(frame.id, frame);
    if (recent.size > KEPT) recent.delete(recent.keys().next().value);
  }
  tell(frame);
}

/** The frame as a DOM event. */
export function tell(frame) {
  const open = frame.conversation && frame.conversation === conversation();
  const place = open ? document.querySelector(".chat") : document.body;
  place.dispatchEvent(new CustomEvent(`live:${frame.type}`, { detail: frame, bubbles: true }));
}

/** Tells again what happened to a conversation: its page may have been drawn before. */
export function tellAgain(id) {
  for (const frame of [...recent.values()]) if (frame.conversation === id) tell(frame);
}

function greeted(position) {
  if (position) cursor = position;
  if (failures) tell({ type: "again" });
  failures = 0;
  show("");
}

/** A connection that says nothing may be dead without knowing it. */
function listen() {
  clearTimeout(quiet);
  quiet = setTimeout(() => {
    say("ping", {});
    quiet = setTimeout(() => socket.close(), QUIET / 2);
  }, QUIET);
}

function lost(code) {
  clearTimeout(quiet);
  if (code === 4401 || code === 4403) return show("signedOut", 0);
  failures += 1;
  retry = setTimeout(connect, told || Math.min(15_000, 300 * 2 ** failures) * (0.5 + Math.random() / 2));
  told = 0;
  show(navigator.onLine ? "reconnecting" : "offline");
}

/** The state in words, in the hint below the composer. */
function show(state, after = STATE_AFTER) {
  clearTimeout(stateTimer);
  stateTimer = setTimeout(() => {
    document.body.dataset.live = state || "open";
    for (const place of document.querySelectorAll("[data-state]")) place.textContent = place.dataset[state] ?? "";
  }, state ? after : 0);
}

window.addEventListener("online", connect);
window.addEventListener("offline", () => show("offline", 0));
document.addEventListener("page:shown", () => {
  watch(conversation());
  tellAgain(conversation());
});
if (cursor) connect();
