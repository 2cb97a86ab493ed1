// How much of each conversation is new to its reader: a dot or a number on its row, the same in every tab.
const me = `user:${document.body.dataset.user}`;
const told = new Map(); // the last count of each conversation, and when it was told
const rowsOf = (id) => document.querySelectorAll(`[data-row="${id}"]`);

/** What its row says; 1 where there is none, as it may be further down. */
export const unreadOf = (id) => Number(rowsOf(id)[0]?.dataset.unread ?? 1);

export function setUnread(id, count) {
  told.set(id, { count, at: performance.now() });
  for (const row of rowsOf(id)) {
    row.dataset.unread = count;
    row.querySelector("[data-unread-count]").textContent = count > 1 ? count : "";
  }
}

/** A count that was told after that moment: a row that was asked for before may be older. */
export function toldSince(id, moment) {
  const last = told.get(id);
  return last && last.at >= moment ? last.count : undefined;
}

document.addEventListener("live:receipt.updated", ({ detail: { conversation: id, data } }) => {
  if (data.recipient === me && Number.isInteger(data.unread)) setUnread(id, data.unread);
});
