// What waits to be sent, in the order it was written. It is kept in the browser's database; where that is closed to
// us, as long as the page lives.
import { on } from "./page.js";

const TABLE = "waiting";
const user = document.body.dataset.user;
const spare = new Map();

const opened = new Promise((resolve) => {
  try {
    const request = indexedDB.open("chatcore", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(TABLE, { keyPath: "number", autoIncrement: true });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => resolve(null);
  } catch {
    resolve(null);
  }
});

/** What `action` asks of the table; undefined where there is none. */
async function ask(mode, action) {
  const database = await opened;
  if (!database) return undefined;
  return new Promise((resolve) => {
    const transaction = database.transaction(TABLE, mode);
    const request = action(transaction.objectStore(TABLE));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = () => resolve(undefined);
  });
}

/** Keeps an item: its client id, conversation, address, text and model. */
export async function keep(item) {
  const kept = { ...item, user };
  const number = await ask("readwrite", (table) => table.add(kept));
  if (number === undefined) spare.set(item.client, { ...kept, number: Date.now() });
}

/** Everything of this user, first written first. */
export async function waiting() {
  const kept = (await ask("readonly", (table) => table.getAll())) ?? [];
  return [...kept.filter((item) => item.user === user), ...spare.values()];
}

export async function drop(item) {
  spare.delete(item.client);
  await ask("readwrite", (table) => table.delete(item.number));
}

// Whoever signs out leaves nothing behind.
on("submit", "[data-sign-out]", () => ask("readwrite", (table) => table.clear()));
