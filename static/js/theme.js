// Light, dark, or as the system has it; early.js applies it before the first paint.
const root = document.documentElement;

for (const choice of document.querySelectorAll("[data-theme-choice] input")) {
  choice.checked = choice.value === (root.dataset.theme ?? "");
  choice.addEventListener("change", () => {
    if (choice.value) root.dataset.theme = choice.value;
    else delete root.dataset.theme;
    try {
      localStorage.setItem("theme", choice.value);
    } catch {} // it holds for this page then
  });
}
