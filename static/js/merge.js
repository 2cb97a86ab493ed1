// Brings what is shown to what the server draws, touching only what differs: selections, scroll positions and
// unfolded details of everything else stay.
import { fill, parse } from "./page.js";
import { keepPlace } from "./follow.js";
import { isStreamed } from "./stream.js";

const RUNNING = ["queued", "streaming"], COMPARISON = "[data-comparison]";

/** Makes `old` look like `fresh`, another drawing of the same message; returns what stands there now. */
export function update(old, fresh) {
  if (old.querySelector("[data-edit-form]")) return old;
  if (old.matches(".pending")) return exchanged(old, fresh);
  const kept = keptParts(old, fresh);
  copyAttributes(old, fresh);
  for (const part of fresh.querySelectorAll(":scope > [data-part]")) {
    const shown = old.querySelector(`:scope > [data-part="${part.dataset.part}"]`);
    if (!shown) old.append(part);
    else if (kept.includes(part.dataset.part)) continue;
    else if (part.dataset.part === "body") updateBody(shown, part);
    else if (!part.isEqualNode(withOpen(shown, part))) shown.replaceWith(part);
  }
  htmx.process(old);
  return old;
}

function exchanged(bubble, message) {
  bubble.replaceWith(message);
  htmx.process(message);
  return message;
}

/** A finished text does not change any more; a running one is ahead of any drawing of it. */
function keptParts(old, fresh) {
  const before = old.dataset, after = fresh.dataset;
  const running = RUNNING.includes(after.status);
  const isSame = before.attempt === after.attempt && before.status === after.status;
  const isAhead = running && isStreamed(before.message) && Number(before.attempt) >= Number(after.attempt);
  if (isAhead) fresh.dataset.status = before.status;
  return isAhead || (isSame && !running && before.message) ? ["body", "reasoning"] : [];
}

/** Blocks that are equal stay the same nodes; from the first that differs on they are exchanged. */
function updateBody(shown, fresh) {
  const from = shown.querySelector("[data-body]"), to = fresh.querySelector("[data-body]");
  if (!from || !to) {
    if (!shown.isEqualNode(fresh)) shown.replaceWith(fresh);
    return;
  }
  copyAttributes(from, to);
  fill(from, [...to.childNodes]);
}

function copyAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
}

/** Folded or not is the reader's: the fresh part takes it over. */
function withOpen(shown, part) {
  if (shown.matches("details[open]")) part.open = true;
  return shown;
}

/** Adds messages at the end, before what is still being sent, or updates those already there. */
export function addMessages(thread, html) {
  keepPlace(() => {
    for (const fresh of piecesOf(parse(html))) {
      const old = find(thread, fresh);
      if (old && !fresh.matches(COMPARISON)) update(old, fresh);
      else put(thread, old, fresh, thread.querySelector(".pending"));
    }
  });
}

/** Makes the thread what the server says it is. What is above its first message stays if that one is known. */
export function mergeThread(thread, html) {
  const fragment = parse(html);
  const fresh = piecesOf(fragment);
  keepPlace(() => {
    const known = fresh.length ? find(thread, fresh[0]) : null;
    if (known?.parentElement !== thread) return replaceAll(thread, fragment);
    arrange(thread, fresh, known);
  });
}

/** Messages, and comparisons with the messages in them. */
const piecesOf = (fragment) => [...fragment.children].filter((one) => one.matches(`.message, ${COMPARISON}`));

/** Brings what stands in the box from `place` on to the fresh pieces. */
function arrange(box, fresh, place) {
  for (const piece of fresh) {
    const old = find(box.closest("[data-thread]"), piece);
    if (old?.parentElement === box) while (place && place !== old) place = removed(place);
    place = put(box, old, piece, place).nextElementSibling;
  }
  while (place) place = removed(place);
}

/** A piece at its place: new, brought up to date, or moved into a comparison or out of it. */
function put(box, old, piece, place) {
  if (piece.matches(COMPARISON)) {
    const comparison = old ?? piece.cloneNode(false), messages = [...piece.children];
    if (!old) box.insertBefore(comparison, place);
    arrange(comparison, messages, comparison.firstElementChild);
    return comparison;
  }
  if (!old) return insert(box, piece, place);
  if (old.parentElement !== box) box.insertBefore(old, place);
  return update(old, piece);
}

function replaceAll(thread, fragment) {
  const pending = thread.querySelectorAll(".pending");
  thread.replaceChildren(...fragment.childNodes, ...pending);
  htmx.process(thread);
  document.dispatchEvent(new CustomEvent("thread:replaced"));
}

function insert(thread, message, before) {
  thread.insertBefore(message, before);
  htmx.process(message);
  message.dispatchEvent(new CustomEvent("message:added", { bubbles: true }));
  return message;
}

/** Takes a message away and gives the next one; what is still being sent stays. */
function removed(element) {
  const next = element.nextElementSibling;
  if (!element.matches(".pending")) element.remove();
  return next;
}

/** The same message on the page, or the bubble that stands for it until the server has it. */
function find(thread, message) {
  const { client } = message.dataset;
  return thread.querySelector(`#${message.id}`) ?? (client ? thread.querySelector(`[data-client="${client}"]`) : null);
}
