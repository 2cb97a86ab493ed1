// Comparing: the picker marks two to four models, and all of them answer the next message.
import { composer, on } from "./page.js";

const FEWEST = 2, MOST = 4;
const panel = document.querySelector("[data-models-panel]");
const list = panel.querySelector("[data-models-list]");
const toggle = panel.querySelector("[data-compare]");
const hint = panel.querySelector("[data-compare-hint]");
let last = []; // what was compared before, to begin with the next time

const select = () => composer()?.querySelector("[data-compared]");
const optionsOf = (field) => [...(field?.options ?? [])];
const marked = () => optionsOf(select()).filter((option) => option.selected).map((option) => option.value);

export const isComparing = () => toggle.ariaPressed === "true";

/** What the composer's button says: the model, or how many are compared. */
export function show() {
  const label = composer().querySelector("[data-model-label]"), names = marked();
  const one = composer().querySelector("[data-model]").selectedOptions[0]?.label ?? "";
  label.textContent = names.length < FEWEST ? one : label.dataset.many.replace("{n}", names.length);
}

/** Marks the model, or takes its mark away. */
export function mark(name) {
  const names = marked();
  if (!names.includes(name) && names.length === MOST) return;
  setMarked(names.includes(name) ? names.filter((other) => other !== name) : [...names, name]);
}

function setMarked(names) {
  for (const option of optionsOf(select())) option.selected = names.includes(option.value);
  showMarks(false);
  show();
}

/** The picker's items as boxes to mark, while models are compared; hidden where one model alone is asked for. */
export function showMarks(isHidden) {
  const names = marked(), comparing = !isHidden && isComparing();
  toggle.parentElement.hidden = isHidden || !select();
  list.ariaMultiSelectable = String(comparing);
  list.classList.toggle("comparing", comparing);
  hint.hidden = !comparing;
  hint.textContent = names.length < FEWEST ? hint.dataset.few : hint.dataset.enough.replace("{n}", names.length);
  if (!comparing) return;
  for (const item of list.children) {
    item.ariaSelected = String(names.includes(item.value));
    item.ariaDisabled = String(names.length === MOST && !names.includes(item.value));
  }
}

function compare(wanted) {
  toggle.ariaPressed = String(wanted);
  const one = composer().querySelector("[data-model]").value;
  setMarked(!wanted ? [] : last.length ? last : [one]);
  if (!wanted) for (const item of list.children) item.ariaSelected = String(item.value === one);
}

/** The models of the message that is sent now; the next one is answered by one model again. */
export function takeCompared(form) {
  const names = optionsOf(form.querySelector("[data-compared]")).filter((option) => option.selected).map((option) => option.value);
  if (names.length < FEWEST) return [];
  last = names;
  compare(false);
  return names;
}

on("click", "[data-compare]", () => compare(!isComparing()));
panel.addEventListener("toggle", (event) => {
  if (event.newState === "closed" && isComparing() && marked().length < FEWEST) compare(false);
});
document.addEventListener("page:shown", () => {
  toggle.ariaPressed = String(marked().length >= FEWEST);
  if (select()) show();
});
