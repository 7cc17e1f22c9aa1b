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

// Whoever leaves before the secret of the page was taken is asked: it is not shown again.
const once = document.querySelector("[data-once]");
if (once) {
  let isTaken = false;
  const take = () => { isTaken = true; };
  document.addEventListener("copy", take);
  for (const taker of document.querySelectorAll("[data-taken], [data-copy]")) taker.addEventListener("click", take);
  addEventListener("beforeunload", (event) => { if (!isTaken) event.preventDefault(); });
}

// Waits for the first use of a new token, for ten minutes and while somebody looks.
const watched = document.querySelector("[data-watch]");
if (watched) {
  let turns = 300;
  document.querySelector("[data-look]").hidden = true;
  const look = async () => {
    if (turns <= 0) {
      document.querySelector("[data-look]").hidden = false;
      return;
    }
    if (!document.hidden) {
      turns -= 1;
      try {
        const answer = await fetch(watched.dataset.watch, { headers: { accept: "application/json" } });
        const { used, words } = await answer.json();
        if (used) {
          watched.className = "seal seal-good";
          watched.querySelector("[data-words]").textContent = words;
          said.textContent = words;
          return;
        }
      } catch {
        turns -= 30;
      }
    }
    setTimeout(look, 2000);
  };
  setTimeout(look, 2000);
}

// Passkeys: a form carries what to ask the authenticator; the answer goes into its fields and comes as every other form.
const toBytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const toText = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

const askPasskey = {
  async create(publicKey) {
    publicKey.user.id = toBytes(publicKey.user.id);
    const { response } = await navigator.credentials.create({ publicKey });
    return { client_data: response.clientDataJSON, authenticator_data: response.getAuthenticatorData() };
  },
  async get(publicKey) {
    const { rawId, response } = await navigator.credentials.get({ publicKey });
    return {
      credential: rawId,
      owner: response.userHandle ?? [],
      client_data: response.clientDataJSON,
      authenticator_data: response.authenticatorData,
      signature: response.signature,
    };
  },
};

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!window.PublicKeyCredential?.prototype) {
    for (const note of document.querySelectorAll("[data-without-passkeys]")) note.dataset.withoutPasskeys = "so";
    continue;
  }
  form.hidden = false;
  form.querySelector("[type=submit]").disabled = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const problem = form.querySelector("[data-problem]");
    problem.hidden = true;
    try {
      const options = JSON.parse(form.dataset.options);
      options.challenge = toBytes(options.challenge);
      for (const known of [...(options.allowCredentials ?? []), ...(options.excludeCredentials ?? [])]) known.id = toBytes(known.id);
      const answer = await askPasskey[form.dataset.passkey](options);
      for (const [name, value] of Object.entries(answer)) form.elements[name].value = toText(value);
      form.submit();
    } catch (error) {
      const again = error.name === "InvalidStateError" && form.dataset.already;
      problem.textContent = again || form.dataset.failed;
      problem.hidden = false;
      said.textContent = problem.textContent;
    }
  });
}
