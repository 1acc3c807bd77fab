// Decisions as they come, at the top of their table. Without it the page has a link to look again.
"use strict";

(() => {
	const frame = document.getElementById("live");
	const table = document.getElementById("decisions");
	if (!frame || !table || !window.EventSource) return;
	const says = document.getElementById("live-says");
	const button = document.getElementById("live-pause");
	const rows = table.tBodies[0];
	const most = 200;
	const speakEvery = 5000; // who listens to the page is not told of each message
	const when = new Intl.DateTimeFormat(undefined, {dateStyle: "medium", timeStyle: "short"});

	let source, from = frame.dataset.from, waiting = [], paused = false, fresh = 0, speaking = 0;

	// shown takes out what could lead a reader astray, as the server does in what it writes.
	const shown = (text) => String(text).replace(/[\p{C}\p{Z}]/gu, (c) => c === " " ? c : "\\u{" + c.codePointAt(0).toString(16) + "}");

	const cell = (label, ...content) => {
		const td = document.createElement("td");
		td.dataset.label = label;
		td.append(...content);
		return td;
	};
	const element = (name, text, classes) => {
		const e = document.createElement(name);
		e.textContent = text;
		if (classes) e.className = classes;
		return e;
	};
	const soft = (text) => element("span", text, "soft");

	function row(d) {
		const tr = document.createElement("tr");
		tr.className = "fresh";
		const time = element("time", when.format(new Date(d.time)));
		time.dateTime = d.time;
		const at = cell("Time", time);
		at.className = "at";
		const verdict = cell("Verdict", element("span", shown(d.verdict), "tag " + d.tone));
		if (!d.carried_out) verdict.append(" ", element("small", "not carried out", "soft"));
		const client = cell("Client", d.client_ip || "");
		client.className = "mono";
		const link = element("a", d.reference ? shown(d.reference) : "Explain", "mono");
		link.href = d.path;
		tr.append(at, verdict, cell("Rule", d.rule ? shown(d.rule) : soft("none")),
			cell("Author Domain", d.author_domain ? shown(d.author_domain) : soft("none")), client, cell("Message", link));
		return tr;
	}

	function add(all) {
		if (!all.length) return;
		for (const old of rows.querySelectorAll(".fresh")) old.classList.remove("fresh");
		for (const d of all) rows.prepend(row(d));
		while (rows.rows.length > most) rows.deleteRow(-1);
		table.hidden = false;
		const none = document.getElementById("none");
		if (none) none.hidden = true;
		fresh += all.length;
		if (!speaking) speaking = setTimeout(speak, fresh === all.length ? 300 : speakEvery);
	}

	function speak() {
		speaking = 0;
		if (paused) return;
		say("on", "Live. " + (fresh ? fresh + (fresh === 1 ? " message" : " messages") + " since you came." : "New messages appear by themselves."));
	}

	function say(state, text) {
		frame.className = "live " + state;
		if (says.textContent !== text) says.textContent = text;
	}

	function listen() {
		source = new EventSource(from);
		source.onopen = speak;
		source.onmessage = (event) => {
			const d = JSON.parse(event.data);
			const next = new URL(from, location.href);
			next.searchParams.set("after", d.id);
			from = next.pathname + next.search;
			if (!paused) return add([d]);
			waiting.push(d);
			if (waiting.length > most) waiting.shift();
			button.textContent = "Go on (" + waiting.length + ")";
		};
		source.onerror = () => {
			if (source.readyState === EventSource.CLOSED) {
				say("off", "Not live any more: ");
				const again = element("a", "look again");
				again.href = location.href;
				says.append(again);
				button.hidden = true;
			} else if (!paused) say("", "The connection is away; trying again.");
		};
	}

	button.hidden = false;
	button.addEventListener("click", () => {
		paused = !paused;
		if (paused) {
			button.textContent = "Go on";
			say("", "Paused. What comes is kept until you go on.");
			return;
		}
		button.textContent = "Pause";
		const all = waiting;
		waiting = [];
		add(all);
		speak();
	});
	// A page that nobody sees takes no connection from one that somebody looks at.
	document.addEventListener("visibilitychange", () => {
		if (document.hidden) source.close();
		else if (source.readyState === EventSource.CLOSED && !button.hidden) listen();
	});
	listen();
})();
