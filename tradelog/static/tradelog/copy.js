// Copies what a button names. Over plain http a browser has no clipboard of its own; then the
// text is selected and copied as by hand.
"use strict";

async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "hidden-text";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) {
    throw new Error("The browser did not copy.");
  }
}

function tell(button, text) {
  const label = (button.dataset.label ??= button.textContent);
  button.textContent = text;
  clearTimeout(Number(button.dataset.timer));
  button.dataset.timer = setTimeout(() => (button.textContent = label), 2000);
}

async function copyWith(button, text) {
  try {
    await copy(text);
    tell(button, "Copied");
  } catch {
    tell(button, "Select it and copy by hand");
  }
}

for (const button of document.querySelectorAll("[data-copies]")) {
  button.addEventListener("click", () =>
    copyWith(button, document.getElementById(button.dataset.copies).textContent),
  );
}
