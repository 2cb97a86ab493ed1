// Small reads of the page that several behaviours share, and asking the server for a part of it.

export const chat = () => document.querySelector(".chat");
export const thread = () => document.querySelector("[data-thread]");
export const composer = () => document.querySelector("[data-composer]");
export const messageById = (id) => document.getElementById(`m-${id}`);
export const conversation = () => chat()?.dataset.conversation ?? "";

/** Calls `action` with the element that matches, for events on it or inside it, now and in future pages. */
export function on(type, selector, action, options) {
  document.addEventListener(type, (event) => {
    const element = event.target instanceof Element && event.target.closest(selector);
    if (element) action(event, element);
  }, options);
}

/** The server's HTML for a part of the page. Throws an Error in words if it refuses or cannot be reached. */
export async function ask(url, options = {}) {
  const response = await fetch(url, { ...options, headers: { "HX-Request": "true", ...options.headers } });
  const goTo = response.headers.get("HX-Redirect");
  if (goTo) location.assign(goTo);
  const text = await response.text();
  if (!response.ok || goTo) throw Object.assign(new Error(words(text)), { status: response.status });
  return text;
}

/** Another page in the middle of this one. `history` is push or replace. */
export const goTo = (path, history = "push") =>
  htmx.ajax("GET", path, { target: "#main", swap: "innerHTML", [history]: "true" });

/** What a problem fragment says. */
export const words = (html) => parse(html).textContent.trim();

/** HTML of this server as a fragment; scripts in it would not run. */
export function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}
