// Fetches the webhook's URL with its token when somebody asks to see or copy it, and puts a
// message into the field to try it.
"use strict";

const address = document.querySelector("[data-reveals]");
const shownUrl = document.getElementById("webhook-url");

async function webhookUrl() {
  const response = await fetch(address.action, { method: "POST", body: new FormData(address) });
  if (!response.ok) {
    throw new Error(`The server answered ${response.status}.`);
  }
  return (await response.json()).url;
}

address?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.submitter;
  const masked = (shownUrl.dataset.masked ??= shownUrl.textContent);
  if (button.value === "show" && shownUrl.textContent !== masked) {
    shownUrl.textContent = masked;
    button.textContent = "Show";
    return;
  }
  try {
    const url = await webhookUrl();
    if (button.value === "copy") {
      await copyWith(button, url);
    } else {
      shownUrl.textContent = url;
      button.textContent = "Hide";
    }
  } catch (error) {
    tell(button, error.message);
  }
});

for (const button of document.querySelectorAll("[data-tries]")) {
  button.addEventListener("click", () => {
    const field = document.getElementById("id_message");
    field.value = document.getElementById(button.dataset.tries).textContent;
    field.scrollIntoView({ block: "center" });
    field.focus();
  });
}
