// Draws the API's reference page from its OpenAPI document, light or dark like all others.
const root = document.documentElement;
const night = matchMedia("(prefers-color-scheme: dark)");
const paint = () => root.classList.toggle("dark-mode", root.dataset.theme ? root.dataset.theme === "dark" : night.matches);
paint();
night.addEventListener("change", paint);

const place = document.getElementById("docs");
SwaggerUIBundle({ url: place.dataset.document, domNode: place, deepLinking: true, docExpansion: "list" });
