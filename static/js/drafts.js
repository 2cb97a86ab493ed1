// What was begun is kept for each conversation, in this browser, until it is sent; every tab shows the same.
import { composer, on } from "./page.js";
import { settle } from "./composer.js";

const mine = `draft:${document.body.dataset.user}:`;
const key = (form) => mine + (form.dataset.draft || "new");

function keep(name, text) {
  try {
    if (text.trim()) localStorage.setItem(name, text);
    else localStorage.removeItem(name);
  } catch {} // storage is full or closed to us: the draft lives as long as the page
}

function kept(name) {
  try {
    return localStorage.getItem(name) ?? "";
  } catch {
    return "";
  }
}

export function forgetDraft(form) {
  keep(key(form), "");
  keepBeside(form, "wishes", null);
}

/** What belongs to a draft besides its text, by `kind`; null takes it away. */
export const keepBeside = (form, kind, value) => keep(beside(form, kind), value ? JSON.stringify(value) : "");
export const keptBeside = (form, kind) => JSON.parse(kept(beside(form, kind)) || "null");
export const beside = (form, kind) => `${key(form)}:${kind}`;

/** What could not be sent waits in the conversation it was meant for. */
export function addToDraft({ conversation, text, files = [], wishes }) {
  const form = { dataset: { draft: conversation } }, name = key(form), begun = kept(name);
  keep(name, begun ? `${text}\n\n${begun}` : text);
  keepBeside(form, "files", [...files, ...(keptBeside(form, "files") ?? [])]);
  keepBeside(form, "wishes", keptBeside(form, "wishes") ?? wishes);
}

on("input", "[data-composer] [data-input]", (_event, field) => keep(key(field.form), field.value));

function put(field, text) {
  field.value = text;
  settle(field);
}

document.addEventListener("page:shown", () => {
  const form = composer(), field = form?.querySelector("[data-input]");
  if (field && !field.value) put(field, kept(key(form)));
});

// Another tab went on with the draft, or sent it. What is being written here is left alone.
window.addEventListener("storage", ({ key: name, oldValue, newValue }) => {
  const form = composer(), field = form?.querySelector("[data-input]");
  if (!field || name !== key(form) || form.matches(".busy")) return;
  if (field.value === (oldValue ?? "")) put(field, newValue ?? "");
});

// Whoever signs out leaves nothing of theirs that was not sent.
on("submit", "[data-sign-out]", () => {
  try {
    for (const name in localStorage) if (name.startsWith(mine)) localStorage.removeItem(name);
  } catch {} // then nothing was kept either
});
