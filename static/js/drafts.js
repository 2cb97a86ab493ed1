// What was begun is kept for each conversation, in this browser, until it is sent.
import { composer, on } from "./page.js";
import { settle } from "./composer.js";

const key = (form) => `draft:${document.body.dataset.user}:${form.dataset.draft}`;

function keep(form, text) {
  try {
    if (text.trim()) localStorage.setItem(key(form), text);
    else localStorage.removeItem(key(form));
  } catch {} // storage is full or closed to us: the draft lives as long as the page
}

export const forgetDraft = (form) => keep(form, "");

on("input", "[data-composer] [data-input]", (_event, field) => keep(field.form, field.value));

document.addEventListener("page:shown", () => {
  const form = composer(), field = form?.querySelector("[data-input]");
  if (!field || field.value) return;
  try {
    field.value = localStorage.getItem(key(form)) ?? "";
  } catch {
    return;
  }
  settle(field);
});
