// Earlier messages are fetched as the reader comes near the first one shown.
import { ask, parse, thread } from "./page.js";
import { keepPlace } from "./follow.js";

let nearby;

async function load(link) {
  nearby?.disconnect();
  const url = new URL(link.href);
  let html;
  try {
    html = await ask(thread().dataset.source + url.search);
  } catch {
    return; // the link stays and can be pressed
  }
  if (!link.isConnected) return;
  const fragment = parse(html);
  keepPlace(() => link.replaceWith(fragment));
  htmx.process(thread());
  observe();
}

function observe() {
  nearby?.disconnect();
  const link = document.getElementById("older");
  if (!link) return;
  nearby = new IntersectionObserver(
    ([entry]) => entry.isIntersecting && load(link),
    { root: document.querySelector("[data-scroll]"), rootMargin: "800px 0px" },
  );
  nearby.observe(link);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-older]");
  if (!link || event.metaKey || event.ctrlKey) return;
  event.preventDefault();
  load(link);
});
document.addEventListener("page:shown", observe);
document.addEventListener("thread:replaced", observe);
