// The model picker: one panel for the composer and for "again, with another model".
import { composer, on } from "./page.js";
import { beside } from "./menu.js";
import { drawWishes } from "./wishes.js";
import { isComparing, mark, show, showMarks } from "./compare.js";

const panel = document.querySelector("[data-models-panel]");
const find = panel.querySelector("[data-models-find]");
const list = panel.querySelector("[data-models-list]");
let answers = ""; // the address a choice is posted to; empty: it is the composer's

const select = () => composer()?.querySelector("[data-model]");

function fill() {
  const chosen = select();
  list.replaceChildren(...[...(chosen?.options ?? [])].map((option) => {
    const item = document.createElement("button");
    item.type = "button";
    item.className = "menu-item";
    item.role = "option";
    item.value = option.value;
    item.textContent = option.label;
    item.ariaSelected = String(!answers && option.selected);
    return item;
  }));
  showMarks(Boolean(answers));
  find.value = "";
  find.hidden = list.children.length < 7;
  panel.querySelector("[data-models-none]").hidden = true;
}

function filter() {
  const sought = find.value.trim().toLowerCase();
  for (const item of list.children) {
    item.hidden = !`${item.textContent} ${item.value}`.toLowerCase().includes(sought);
  }
  panel.querySelector("[data-models-none]").hidden = [...list.children].some((item) => !item.hidden);
}

function choose(name) {
  if (!answers && isComparing()) return mark(name);
  panel.hidePopover();
  if (answers) {
    htmx.ajax("POST", answers, { source: "#act", target: "#thread", swap: "innerHTML", values: { model: name } });
    return;
  }
  const chosen = select();
  chosen.value = name;
  show();
  if (chosen.dataset.action) {
    htmx.ajax("POST", chosen.dataset.action, { source: "#act", target: "body", swap: "none", values: { model: name } });
  }
  drawWishes(composer());
  composer().querySelector("[data-input]").focus();
}

on("click", "[data-pick]", (event, button) => {
  event.preventDefault();
  answers = "";
  open(button);
});

on("click", "[data-models]", (event, link) => {
  if (event.metaKey || event.ctrlKey || !select()) return;
  event.preventDefault();
  answers = link.dataset.models;
  open(link);
});

function open(opener) {
  if (panel.matches(":popover-open")) return panel.hidePopover();
  fill();
  beside(panel, opener);
  const isTyping = !find.hidden && matchMedia("(hover: hover)").matches;
  (isTyping ? find : list.querySelector('[aria-selected="true"]') ?? list.firstElementChild)?.focus();
}

find.addEventListener("input", filter);
find.addEventListener("keydown", (event) => {
  const first = [...list.children].find((item) => !item.hidden);
  if (event.key === "Enter" && first) choose(first.value);
});
on("click", "[data-models-list] button", (_event, item) => choose(item.value));

document.addEventListener("live:conversation.updated", ({ target, detail: { data } }) => {
  if (!target.closest(".chat") || !data.changed?.includes("model") || !select()) return;
  if (data.model) select().value = data.model;
  show();
});
