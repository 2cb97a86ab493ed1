// What is wished of the replies in a conversation that is not begun yet: hidden fields beside the model picker. They
// go with its first message, and are kept with its draft.
import { ask, composer, on, parse } from "./page.js";
import { keepBeside, keptBeside } from "./drafts.js";

const NONE = { system: "", params: "{}" };
const place = (form) => form?.querySelector("[data-wishes]");
const fields = (form) => [...(place(form)?.querySelectorAll("input") ?? [])];

/** By name; none where a conversation holds them itself. */
export const wishesOf = (form) => Object.fromEntries(fields(form).map(({ name, value }) => [name, value]));

export function giveWishes(form, wishes = NONE) {
  for (const field of fields(form)) field.value = wishes[field.name] ?? NONE[field.name];
  place(form)?.querySelector(".wishes-count")?.remove();
  keepWishes(form);
  drawWishes(form);
}

export const hasWishes = (form) => fields(form).some(({ name, value }) => value !== NONE[name]);

function keepWishes(form) {
  if (place(form)) keepBeside(form, "wishes", hasWishes(form) && wishesOf(form));
}

/** For the model that is chosen; what has changed meanwhile stays. */
export async function drawWishes(form) {
  if (!place(form)) return;
  const asked = sent(form), html = await ask(place(form).dataset.wishes, { method: "POST", body: asked }).catch(() => "");
  const isSame = [...asked].every(([name, value]) => form.elements[name]?.value === value);
  if (html && isSame && place(form)) place(form).replaceWith(parse(html));
}

function sent(form) {
  const body = new FormData();
  for (const name of ["csrfmiddlewaretoken", "model", ...Object.keys(NONE)]) body.set(name, form.elements[name].value);
  return body;
}

// What the dialog has saved.
on("htmx:load", "[data-wishes]", (_event, { parentElement }) => keepWishes(parentElement.closest("form")));

document.addEventListener("page:shown", () => {
  const form = composer();
  if (!place(form) || hasWishes(form)) return;
  const kept = keptBeside(form, "wishes");
  if (kept) giveWishes(form, kept);
});
