// What this page hears. Frames become DOM events `live:<type>`, on the open chat or else on the body.
import { conversation } from "./page.js";
import { begin, want } from "./tabs.js";
import { show } from "./state.js";
import { isOutdated } from "./session.js";

const KEPT = 300; // events remembered: to know repeats, for pages just shown, and for tabs that come later

const recent = new Map();
const arrival = performance.getEntriesByType("navigation")[0];
const kept = Number(document.querySelector("[data-kept]")?.dataset.kept);
let cursor = document.body.dataset.cursor ?? "";
let wholeSince = kept || performance.timeOrigin + (arrival.responseStart || arrival.responseEnd); // from here on no event is missing
let wasBroken = false;

function take(frame) {
  if (frame.cursor) cursor = frame.cursor;
  if (frame.type === "hello" && frame.data.cursor) cursor = frame.data.cursor;
  if (frame.type === "resync") return begunAnew();
  if (frame.id !== undefined) {
    if (recent.has(frame.id)) return;
    recent.set(frame.id, { frame, at: Date.now() });
    if (recent.size > KEPT) forgetOldest();
  }
  tell(frame);
}

function forgetOldest() {
  const [id, { at }] = recent.entries().next().value;
  recent.delete(id);
  wholeSince = Math.max(wholeSince, at);
}

/** The frame as a DOM event. */
export function tell(frame) {
  const isOpen = frame.conversation && frame.conversation === conversation();
  const place = isOpen ? document.querySelector(".chat") : document.body;
  place.dispatchEvent(new CustomEvent(`live:${frame.type}`, { detail: frame, bubbles: true }));
}

/** Tells again what happened to a conversation: its page may have been drawn before. */
function tellAgain(id) {
  for (const { frame } of [...recent.values()]) if (frame.conversation === id) tell({ ...frame, again: true });
}

/** For another tab: the events since it was drawn or heard last, and whether they are all of them. */
function since(moment) {
  const frames = [...recent.values()].filter(({ at }) => at >= moment - 1_000).map(({ frame }) => frame);
  return { frames, whole: moment >= wholeSince };
}

function changed(state) {
  if (state === "open" && isOutdated()) return;
  if (state === "open" && wasBroken) tell({ type: "again" });
  wasBroken = state !== "open";
  show(state);
}

/** Events are missing that nobody here has: what is shown is read anew. */
function stale() {
  wholeSince = Date.now();
  tell({ type: "stale" });
}

/** The server cannot go on from where we are: what comes from here on may be numbered as what came before. */
function begunAnew() {
  recent.clear();
  stale();
}

document.addEventListener("page:shown", () => {
  want({ watching: conversation() });
  tellAgain(conversation());
});

if (cursor) {
  begin({
    cursor: () => cursor,
    since: () => kept || performance.timeOrigin + arrival.fetchStart,
    frame: take,
    state: changed,
    recent: since,
    stale,
  });
}
