// What HTML cannot do: moments in the reader's own time, and records into the clipboard. Every page works without it.
"use strict";

for (const element of document.querySelectorAll("time[datetime]")) {
	const moment = new Date(element.dateTime);
	if (Number.isNaN(moment.getTime())) continue;
	element.title = element.textContent;
	element.textContent = element.classList.contains("day")
		? new Intl.DateTimeFormat(undefined, {dateStyle: "medium", timeZone: "UTC"}).format(moment)
		: new Intl.DateTimeFormat(undefined, {dateStyle: "medium", timeStyle: "short"}).format(moment);
}

if (navigator.clipboard) {
	for (const button of document.querySelectorAll("button[data-copy]")) {
		button.hidden = false;
		button.addEventListener("click", async () => {
			await navigator.clipboard.writeText(button.dataset.copy);
			button.textContent = "Copied";
		});
	}
}
