// Images of the thread open large in a dialog; with a modifier key, or without scripts, in a tab of their own.
import { on } from "./page.js";

const viewer = document.querySelector("[data-viewer]");

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
