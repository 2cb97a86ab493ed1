// The composer: grows with its text, Enter sends, the limit is told when it comes near.
import { composer, on, thread } from "./page.js";

const TOLD_FROM = 0.9; // of the limit
const grows = CSS.supports("field-sizing", "content");

/** Sizes the field to its text, where the browser does not by itself, and brings the rest up to date. */
export function settle(field) {
  if (!grows) {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`;
  }
  const form = field.closest("[data-composer]");
  if (form) count(form, field);
}

function count(form, field) {
  const place = form.querySelector("[data-count]");
  const limit = Number(form.dataset.limit), length = [...field.value].length;
  place.hidden = length < limit * TOLD_FROM;
  form.classList.toggle("over", length > limit);
  if (place.hidden) return;
  const left = limit - length;
  place.textContent = `${Math.abs(left).toLocaleString()} ${left < 0 ? place.dataset.over : place.dataset.words}`;
}

/** Puts text into the composer, with the cursor at its end. */
export function write(text) {
  const field = composer()?.querySelector("[data-input]");
  if (!field) return;
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
  field.setSelectionRange(text.length, text.length);
}

/** What went wrong, above the text it is about; nothing takes it away. */
export function complain(form, text = "") {
  const place = form.querySelector("[data-problem]");
  if (!place) return;
  place.textContent = text;
  place.hidden = !text;
}

on("input", "[data-input]", (_event, field) => settle(field));

on("keydown", "[data-input]", (event, field) => {
  // While an input method composes, Enter chooses a candidate. Safari ends the composition first: 229 tells.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  if (matchMedia("(pointer: coarse) and (hover: none)").matches && !event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  if (field.value.trim() || field.form.matches(".with-files")) field.form.requestSubmit();
});

on("keydown", "[data-composer] [data-input]", (event, field) => {
  if (event.key !== "ArrowUp" || field.value || event.isComposing) return;
  const own = [...(thread()?.querySelectorAll(".message.user [data-edit]") ?? [])].at(-1);
  if (!own) return;
  event.preventDefault();
  own.click();
});

on("click", "[data-composer]", (event, form) => {
  if (!event.target.closest("button, select, input, a, label")) form.querySelector("[data-input]").focus();
});

on("click", "[data-stop-reply]", () => {
  const compared = thread().querySelectorAll("[data-comparison] [data-stop]");
  const stops = compared.length ? compared : [...thread().querySelectorAll("[data-stop]")].slice(-1);
  for (const stop of stops) stop.click();
});

on("click", "[data-starter]", (event, link) => {
  if (event.metaKey || event.ctrlKey) return;
  event.preventDefault();
  write(link.dataset.starter);
});

document.addEventListener("page:shown", () => {
  const field = composer()?.querySelector("[data-input]");
  if (!field) return;
  field.form.noValidate = true;
  settle(field);
  if (matchMedia("(hover: hover)").matches) field.focus({ preventScroll: true });
});
