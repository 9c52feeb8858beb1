// Offers the browser's own time zone.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const choice = document.querySelector("select[name=zone]");
const offer = document.querySelector("[data-browsers-zone]");
if (zone && choice.value !== zone && [...choice.options].some((one) => one.value === zone)) {
  offer.textContent = `Use this browser's: ${zone}`;
  offer.hidden = false;
  offer.addEventListener("click", () => {
    choice.value = zone;
    choice.form.requestSubmit();
  });
}
