// Replies as they grow. The server sends finished blocks once and the open tail again and again; what is kept here
// is which nodes belong to which block, so that nothing on the page needs a mark.
import { fill, messageById, parse } from "./page.js";
import { keepPlace } from "./follow.js";

const streams = new Map();

class Stream {
  constructor(attempt) {
    this.attempt = attempt;
    this.length = 0;
    this.thought = "";
    this.begin(null);
  }

  begin(blocks) {
    this.blocks = blocks; // a list of nodes for each block; null until the server has sent all of them
    this.tail = [];
    this.box = document.createElement("div"); // drawn aside until it is as far as what the page shows
  }

  /** Applies rendered blocks; false if an earlier part of them is still to come. */
  draw({ first, blocks, tail, reset }, isStart) {
    if (!reset && (this.blocks ? first > this.blocks.length : !isStart)) return false;
    if (reset) this.begin([]);
    this.drop(first);
    for (const html of blocks) this.blocks.push(this.append(html));
    this.tail = this.append(tail);
    return true;
  }

  drop(first) {
    for (const node of [...(this.blocks ?? []).slice(first).flat(), ...this.tail]) node.remove();
    this.blocks = (this.blocks ?? []).slice(0, first);
    this.tail = [];
  }

  append(html) {
    const nodes = [...parse(html ?? "").childNodes];
    this.box.append(...nodes);
    return nodes;
  }

  /** Takes over the message's body, and what was drawn there already. */
  attach(body) {
    if (this.box === body) return;
    const nodes = [...this.box.childNodes];
    fill(body, nodes);
    const shown = (node) => body.childNodes[nodes.indexOf(node)];
    this.blocks = this.blocks.map((block) => block.map(shown));
    this.tail = this.tail.map(shown);
    this.box = body;
  }
}

/** Whether what is shown of the message comes from here, and is newer than any drawing of it. */
export const isStreamed = (id) => Boolean(streams.get(id)?.box.isConnected);

/** The message has ended, or begins anew: what the server draws of it counts. */
export function forget(id) {
  streams.delete(id);
}

/** Marks the message as being written under this attempt; a newer one clears what the older one said. */
export function begin(id, attempt) {
  const message = messageById(id);
  if (!message || Number(message.dataset.attempt) > attempt) return;
  if (Number(message.dataset.attempt) < attempt) clear(message);
  message.dataset.attempt = attempt;
  message.dataset.status = "streaming";
}

function clear(message) {
  message.querySelector("[data-body]")?.replaceChildren();
  const reasoning = message.querySelector("[data-reasoning]");
  if (reasoning) reasoning.textContent = "";
}

document.addEventListener("live:reply.delta", ({ detail: { data } }) => {
  let stream = streams.get(data.message);
  if (stream && data.attempt < stream.attempt) return;
  if (!stream || data.attempt > stream.attempt) streams.set(data.message, (stream = new Stream(data.attempt)));
  const message = messageById(data.message);
  if (message && data.attempt < Number(message.dataset.attempt)) return;
  keepPlace(() => {
    if (message) begin(data.message, data.attempt);
    if (data.part === "reasoning") think(stream, message, data);
    else write(stream, message, data);
  });
});

function write(stream, message, { offset, text, html }) {
  const end = offset + codePoints(text);
  const isOld = stream.blocks && (html?.reset ? end < stream.length : end <= stream.length);
  if (!html || isOld || !stream.draw(html, offset === 0)) return;
  stream.length = end;
  const body = message?.querySelector("[data-body]");
  if (!body || !end || (stream.box !== body && end < Number(body.dataset.length ?? 0))) return;
  stream.attach(body);
  message.dispatchEvent(new CustomEvent("message:grown", { bubbles: true, detail: { text, offset } }));
}

function think(stream, message, { offset, text }) {
  const known = codePoints(stream.thought);
  if (offset > known) return;
  stream.thought += [...text].slice(known - offset).join("");
  const place = message?.querySelector("[data-reasoning]");
  if (!place || !stream.thought) return;
  place.append([...stream.thought].slice(codePoints(place.textContent)).join(""));
  place.closest("details").hidden = false;
}

/** The server counts characters, JavaScript halves of some. */
const codePoints = (text) => [...text].length;
