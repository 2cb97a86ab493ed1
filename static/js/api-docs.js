// Draws the API's reference page from its OpenAPI document.
const place = document.getElementById("docs");
SwaggerUIBundle({ url: place.dataset.document, domNode: place, deepLinking: true, docExpansion: "list" });
