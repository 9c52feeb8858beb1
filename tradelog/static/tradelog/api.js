// Shows the API's schema by Swagger UI.
"use strict";

const place = document.getElementById("api");
const root = document.documentElement;

// Swagger UI has a dark look under a class of its own; the admin has it under "dark".
function followTheme() {
  root.classList.toggle("dark-mode", root.classList.contains("dark"));
}
followTheme();
new MutationObserver(followTheme).observe(root, { attributeFilter: ["class"] });

SwaggerUIBundle({
  url: place.dataset.schema,
  domNode: place,
  // It is on this machine or in a private network; nobody else is to be asked about it.
  validatorUrl: null,
  supportedSubmitMethods: ["get"],
  defaultModelsExpandDepth: 0,
  deepLinking: true,
});
