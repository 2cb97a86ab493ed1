// The list of conversations: which one is open, and what the events say of each.
import { ask, conversation, goTo, on, parse } from "./page.js";
import { setUnread, toldSince } from "./unread.js";

const list = document.querySelector("[data-list]");
const rowOf = (id) => list.querySelector(`[data-row="${id}"]`);
const REDRAWN = ["title", "pinned", "archived"];
const wanted = new Set();
let timer;

function mark() {
  for (const link of list.querySelectorAll(".row-link")) {
    const isOpen = link.closest("[data-row]").dataset.row === conversation();
    if (isOpen) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** Draws a row again, in its place by time. Several events about it are one question. */
function redraw(id) {
  wanted.add(id);
  clearTimeout(timer);
  timer = setTimeout(() => {
    const ids = [...wanted];
    wanted.clear();
    for (const one of ids) fetchRow(one);
  }, 60);
}

async function fetchRow(id) {
  const asked = performance.now();
  const fragment = parse(await ask(`/c/${id}/row/`).catch(() => ""));
  const row = fragment.querySelector("[data-row]"), old = rowOf(id);
  if (row && isFiltered()) old?.replaceWith(row);
  else remove(old);
  if (row && !isFiltered()) place(fragment.querySelector("h2"), row);
  if (row?.isConnected) htmx.process(row);
  const count = toldSince(id, asked);
  if (count !== undefined) setUnread(id, count);
  mark();
}

/** Events were missed: the rows are read anew. */
async function readAgain() {
  const html = isFiltered() ? "" : await ask("/conversations/", { headers: { "HX-Target": "list" } }).catch(() => "");
  if (!html) return;
  list.innerHTML = html;
  htmx.process(list);
  mark();
}

const isFiltered = () => Boolean(document.querySelector("[data-find]").value.trim());

/** Below its heading, before the first row that is older; a heading that is missing is brought along. */
function place(heading, row) {
  const { group, at } = row.dataset;
  const rows = [...list.querySelectorAll("[data-row]")];
  const isPinned = group === "pinned";
  const peers = rows.filter((other) => (other.dataset.group === "pinned") === isPinned);
  const older = peers.find((other) => Number(other.dataset.at) < Number(at));
  const start = list.querySelector(`h2[data-group="${group}"]`);
  const end = isPinned ? rows.find((other) => other.dataset.group !== "pinned") : list.querySelector(".list-more");
  let before = older ?? end ?? null;
  if (before?.dataset.row && before.dataset.group !== group) before = list.querySelector(`h2[data-group="${before.dataset.group}"]`);
  list.querySelector(".list-empty")?.remove();
  if (!start) list.insertBefore(heading, before);
  list.insertBefore(row, before);
}

function remove(row) {
  if (!row) return;
  const heading = list.querySelector(`h2[data-group="${row.dataset.group}"]`);
  row.remove();
  if (heading && !heading.nextElementSibling?.matches(`[data-row][data-group="${row.dataset.group}"]`)) heading.remove();
}

function retitle({ conversation: id, data }) {
  const title = rowOf(id)?.querySelector("[data-title]");
  if (title && data.title) title.textContent = data.title;
}

const listen = (type, action) => document.addEventListener(`live:${type}`, ({ detail }) => action(detail));

listen("stale", readAgain);
listen("conversation.created", ({ conversation: id }) => redraw(id));
listen("message.created", ({ conversation: id }) => redraw(id));
listen("conversation.deleted", ({ conversation: id }) => remove(rowOf(id)));
listen("conversation.updated", (frame) => {
  retitle(frame);
  if (frame.data.changed?.some((name) => REDRAWN.includes(name))) redraw(frame.conversation);
});
for (const type of ["queued", "started", "restarted"]) {
  listen(`reply.${type}`, ({ conversation: id }) => rowOf(id)?.setAttribute("data-running", ""));
}
for (const type of ["completed", "failed", "stopped"]) {
  listen(`reply.${type}`, ({ conversation: id, again }) => {
    rowOf(id)?.removeAttribute("data-running");
    if (!again && (id !== conversation() || document.hidden)) redraw(id); // it is unread now
  });
}

on("keydown", "[data-find]", (event, field) => {
  const first = list.querySelector(".row-link");
  if (event.key === "Enter") {
    event.preventDefault();
    if (first && field.value.trim()) goTo(first.getAttribute("href"));
  } else if (event.key === "ArrowDown" && first) {
    event.preventDefault();
    first.focus();
  } else if (event.key === "Escape" && field.value) {
    field.value = "";
    field.dispatchEvent(new Event("input", { bubbles: true }));
    event.preventDefault();
  }
});

on("keydown", ".row-link", (event, link) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const links = [...list.querySelectorAll(".row-link")];
  (links[links.indexOf(link) + step] ?? document.querySelector("[data-find]")).focus();
});

// A heading that is drawn anew names the page too.
document.addEventListener("htmx:load", ({ target }) => {
  if (target.id === "bar") document.title = `${target.querySelector("h1").textContent} · Chatcore`;
});

document.addEventListener("page:shown", mark);
document.addEventListener("htmx:afterSettle", mark);
