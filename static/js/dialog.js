// Links marked data-dialog open their page's form in a dialog. It closes when the server has accepted it.
import { ask, on, words } from "./page.js";
import { complain } from "./composer.js";

const panel = document.querySelector("[data-dialog-panel]");

on("click", "[data-dialog]", async (event, link) => {
  if (event.metaKey || event.ctrlKey) return;
  event.preventDefault();
  const html = await ask(link.href).catch(() => null);
  if (html === null) return location.assign(link.href);
  panel.innerHTML = html;
  htmx.process(panel);
  panel.showModal();
  panel.querySelector("input[name=title]")?.select();
});

on("click", "dialog [data-close]", (event, button) => {
  event.preventDefault();
  button.closest("dialog").close();
});
on("click", "dialog", (event, dialog) => event.target === dialog && dialog.close());

on("htmx:beforeRequest", ".dialog form", (_event, form) => complain(form));
on("htmx:afterRequest", ".dialog form", (event, form) => {
  if (event.detail.successful) form.closest("dialog").close();
});

// A form that says at its fields what is wrong comes back in its own place.
on("htmx:beforeSwap", ".dialog [data-fields]", (event) => {
  if (event.detail.xhr.status !== 422 || !event.detail.serverResponse.includes("data-fields")) return;
  event.detail.shouldSwap = true;
  event.detail.isError = false;
});
document.addEventListener("htmx:afterSwap", () => panel.querySelector('[aria-invalid="true"]')?.focus());

// A refusal is said where the form is that was refused.
on("htmx:responseError", ".dialog form, [data-edit-form]", (event, form) => {
  event.stopPropagation();
  complain(form, words(event.detail.xhr.responseText));
});
