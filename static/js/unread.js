// How much of each conversation is new to its reader: a dot or a number on its row, the same in every tab.
import { conversation } from "./page.js";

const me = `user:${document.body.dataset.user}`;
const rowsOf = (id) => document.querySelectorAll(`[data-row="${id}"]`);

/** What its row says; 1 where there is none, as it may be further down. */
export const unreadOf = (id) => Number(rowsOf(id)[0]?.dataset.unread ?? 1);

export function setUnread(id, count) {
  for (const row of rowsOf(id)) {
    row.dataset.unread = count;
    row.querySelector("[data-unread-count]").textContent = count > 1 ? count : "";
  }
}

function countOne({ detail: { conversation: id, again } }) {
  const isRead = id === conversation() && !document.hidden;
  if (!again && !isRead && rowsOf(id).length) setUnread(id, unreadOf(id) + 1);
}

for (const type of ["completed", "failed", "stopped"]) document.addEventListener(`live:reply.${type}`, countOne);

document.addEventListener("live:receipt.updated", ({ detail: { conversation: id, data } }) => {
  if (data.recipient === me && Number.isInteger(data.unread)) setUnread(id, data.unread);
});
