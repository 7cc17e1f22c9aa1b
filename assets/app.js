// Comfort only: every page works without it.
"use strict";

const said = document.getElementById("said");

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  const label = button.querySelector("[data-label]");
  const before = label.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      label.textContent = "Copied";
    } catch {
      label.textContent = "Select and copy";
    }
    said.textContent = label.textContent;
    setTimeout(() => {
      label.textContent = before;
      said.textContent = "";
    }, 2000);
  });
}

// The exact moment in the reader's own time zone.
for (const time of document.querySelectorAll("time[datetime]")) {
  time.title = new Date(time.dateTime).toLocaleString("en-GB", { dateStyle: "long", timeStyle: "long" });
}
