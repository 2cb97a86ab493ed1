// Small reads of the page that several behaviours share, and asking the server for a part of it.
import { show } from "./state.js";

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
  const status = isSignIn((name) => response.headers.get(name)) ? 401 : response.status, text = await response.text();
  if (!response.ok || status === 401) throw Object.assign(new Error(words(text)), { status });
  return text;
}

/** Whether a part of the page is answered with the way to the sign-in; the page says so then. */
export function isSignIn(header) {
  const is = Boolean(header("HX-Redirect"));
  if (is) show("signedOut");
  return is;
}

/** Whether it reads itself anew when the live connection tells of something: nobody asked for that just now. */
export const isReadByItself = (element) => Boolean(element.getAttribute("hx-trigger")?.includes("live:"));

// What the page asks for by itself takes nobody away from what is being read or written.
document.addEventListener("htmx:beforeOnLoad", (event) => {
  const { elt, xhr } = event.detail;
  if (isReadByItself(elt) && isSignIn((name) => xhr.getResponseHeader(name))) event.preventDefault();
});

/** Another page in the middle of this one. `history` is push or replace. */
export const goTo = (path, history = "push") =>
  htmx.ajax("GET", path, { target: "#main", swap: "innerHTML", [history]: "true" });

/** What a problem fragment says. */
export const words = (html) => parse(html).textContent.trim();

/** Makes these nodes what stands in the box. Those at its start that look like them stay what they are. */
export function fill(box, nodes) {
  let same = 0;
  while (same < nodes.length && box.childNodes[same]?.isEqualNode(nodes[same])) same += 1;
  while (box.childNodes.length > same) box.lastChild.remove();
  box.append(...nodes.slice(same));
}

/** HTML of this server as a fragment; scripts in it would not run. */
export function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}
