// Passkeys: the device answers a challenge, and its answer is sent by the form that the button is in.
"use strict";

const bytesOf = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const textOf = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

// Older browsers have neither parseCreationOptionsFromJSON nor toJSON, so both are done by hand.
function optionsOf(answer) {
	const o = answer.publicKey;
	o.challenge = bytesOf(o.challenge);
	if (o.user) o.user.id = bytesOf(o.user.id);
	for (const list of [o.excludeCredentials, o.allowCredentials]) {
		for (const c of list ?? []) c.id = bytesOf(c.id);
	}
	return {publicKey: o};
}

function sent(credential) {
	const response = {};
	for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
		if (credential.response[name]) response[name] = textOf(credential.response[name]);
	}
	if (credential.response.getTransports) response.transports = credential.response.getTransports();
	return JSON.stringify({
		id: credential.id, rawId: textOf(credential.rawId), type: credential.type, response,
		authenticatorAttachment: credential.authenticatorAttachment ?? undefined, clientExtensionResults: credential.getClientExtensionResults(),
	});
}

function reason(error) {
	switch (error.name) {
	case "NotAllowedError": return "Nothing was done: it was cancelled, or it took too long.";
	case "InvalidStateError": return "This device has a passkey for you already.";
	case "SecurityError": return "The browser has no passkeys for this address.";
	}
	return error.message;
}

async function challenge(form) {
	const answer = await fetch(form.dataset.passkey, {method: "POST"});
	if (answer.ok) return optionsOf(await answer.json());
	if (answer.headers.get("Content-Type")?.startsWith("text/plain")) throw new Error(await answer.text());
	location.reload(); // the session has ended, or is not fresh any more, and the page says it
	throw new Error("One moment.");
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
	if (!window.PublicKeyCredential) continue;
	form.hidden = false;
	const wrong = form.querySelector(".wrong");
	form.addEventListener("submit", async (event) => {
		event.preventDefault();
		wrong.hidden = true;
		const button = form.querySelector("button");
		button.disabled = true;
		try {
			const options = await challenge(form);
			const credential = "new" in form.dataset ? await navigator.credentials.create(options) : await navigator.credentials.get(options);
			form.elements.credential.value = sent(credential);
			form.submit();
		} catch (error) {
			wrong.textContent = reason(error);
			wrong.hidden = false;
			button.disabled = false;
		}
	});
}
