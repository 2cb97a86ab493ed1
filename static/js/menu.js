// Menus: popovers beside what opened them. On narrow screens the style sheet makes them sheets from below.
import { ask, on } from "./page.js";

const panel = document.querySelector("[data-menu-panel]");
const GAP = 4, EDGE = 8;

/** Opens a popover next to `opener`: below it where there is room, else above, never beyond the window. */
export function beside(popover, opener) {
  popover.showPopover({ source: opener });
  const from = opener.getBoundingClientRect(), size = popover.getBoundingClientRect();
  const below = from.bottom + GAP + size.height < innerHeight - EDGE;
  const top = below ? from.bottom + GAP : Math.max(EDGE, from.top - GAP - size.height);
  const atEnd = getComputedStyle(opener).direction === "rtl" ? from.left : from.right - size.width;
  const atStart = getComputedStyle(opener).direction === "rtl" ? from.right - size.width : from.left;
  const left = atStart + size.width < innerWidth - EDGE && atStart > EDGE ? atStart : atEnd;
  popover.style.setProperty("--top", `${top}px`);
  popover.style.setProperty("--left", `${Math.max(EDGE, left)}px`);
}

on("click", "[data-menu]", async (event, link) => {
  if (event.metaKey || event.ctrlKey) return;
  event.preventDefault();
  const html = await ask(link.href).catch(() => null);
  if (html === null) return location.assign(link.href);
  panel.innerHTML = html;
  htmx.process(panel);
  beside(panel, link);
  panel.querySelector(".menu-item")?.focus();
  link.setAttribute("aria-expanded", "true");
  panel.addEventListener("toggle", () => link.removeAttribute("aria-expanded"), { once: true });
});

// Whatever is chosen closes its menu.
on("click", ".menu a.menu-item, .menu [data-shortcuts]", (_event, item) => item.closest(".menu").hidePopover());
on("htmx:beforeRequest", ".menu", (_event, menu) => menu.matches(":popover-open") && menu.hidePopover());
on("click", "#side a[href]", () => {
  const side = document.getElementById("side");
  if (side.matches(":popover-open")) side.hidePopover();
});

on("keydown", ".menu", (event, menu) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const items = [...menu.querySelectorAll("input:not([hidden]), .menu-item:not([hidden])")].filter((item) => item.type !== "radio");
  const next = items.indexOf(document.activeElement) + step;
  items[(next + items.length) % items.length]?.focus();
});
