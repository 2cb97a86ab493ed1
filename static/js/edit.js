// Editing happens in the message's place: the form comes from the server, Cancel brings the message back.
import { ask, composer, on, parse } from "./page.js";
import { complain, settle } from "./composer.js";
import { keepPlace } from "./follow.js";

const set = new WeakMap(); // the nodes a form stands in for

on("click", "[data-edit]", async (event, link) => {
  if (event.metaKey || event.ctrlKey) return;
  event.preventDefault();
  const message = link.closest(".message"), body = message.querySelector('[data-part="body"]');
  if (message.querySelector("[data-edit-form]")) return;
  const html = await ask(link.href).catch(() => null);
  if (html === null) return location.assign(link.href);
  const form = parse(html).querySelector("form");
  keepPlace(() => {
    set.set(form, [...body.childNodes]);
    body.replaceChildren(form);
    message.classList.add("editing");
  });
  htmx.process(form);
  const field = form.querySelector("textarea");
  settle(field);
  field.focus();
  field.setSelectionRange(field.value.length, field.value.length);
});

function cancel(form) {
  const message = form.closest(".message");
  keepPlace(() => {
    message.classList.remove("editing");
    form.replaceWith(...set.get(form));
  });
  composer()?.querySelector("[data-input]").focus({ preventScroll: true });
}

on("click", "[data-edit-form] [data-cancel]", (event, button) => {
  event.preventDefault();
  cancel(button.closest("form"));
});

on("keydown", "[data-edit-form]", (event, form) => {
  if (event.key === "Escape" && !event.isComposing) cancel(form);
});

// Once it is accepted, the message is drawn anew with the rest of the thread.
on("htmx:beforeSwap", "[data-edit-form]", (event, form) => {
  if (event.detail.xhr.status < 400) cancel(form);
});
on("htmx:beforeRequest", "[data-edit-form]", (_event, form) => complain(form));
