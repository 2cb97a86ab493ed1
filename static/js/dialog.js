// Links marked data-dialog open their page's form in a dialog, buttons what is answered to their form. It closes when
// the server has accepted it.
import { ask, on, words } from "./page.js";
import { complain } from "./composer.js";
import { unreachable } from "./notices.js";

const panel = document.querySelector("[data-dialog-panel]"), viewer = document.querySelector("[data-viewer]");

on("click", "[data-dialog]", async (event, opener) => {
  const { href, form, formAction } = opener;
  if (href && (event.metaKey || event.ctrlKey)) return;
  event.preventDefault();
  const html = await (href ? ask(href) : ask(formAction, { method: "POST", body: new FormData(form) })).catch(() => null);
  if (html === null) return href ? location.assign(href) : unreachable();
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

// Images of the thread open large; with a modifier key, or without scripts, in a tab of their own.
on("click", "[data-shot]", (event, link) => {
  if (event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  const image = viewer.querySelector("img");
  image.src = link.href;
  image.alt = link.dataset.name;
  viewer.querySelector("[data-name]").textContent = link.dataset.name;
  Object.assign(viewer.querySelector("[data-download]"), { href: link.href, download: link.dataset.name });
  viewer.showModal();
});

on("click", "[data-viewer] figure", (event, figure) => event.target === figure && viewer.close());
viewer.addEventListener("close", () => viewer.querySelector("img").removeAttribute("src"));
