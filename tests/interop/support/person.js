// A person with a browser, by HTTP alone: opens pages, keeps cookies, fills in whatever forms it is shown.
//
// Forms are read as a browser reads them, so that no test depends on the names of hidden fields. A redirect to
// another origin is not followed: it is the answer that a client waits for.

import { parse } from "parse5";

const STEPS_LIMIT = 10;
const WITHIN_MS = 15_000;

export class Person {
  #cookies = new Map();

  /** `appliance` names the origin this person trusts, with the user name and password for it. */
  constructor({ url, username, password }) {
    this.origin = new URL(url).origin;
    this.username = username;
    this.password = password;
    /** The consent page as it was shown last, as text. */
    this.consent = undefined;
  }

  /**
   * Opens an authorization request, signs in where asked, and answers the consent form.
   *
   * Returns the URL at which the browser would leave for the client. Throws with the page's text if there is
   * nothing more to press.
   */
  async decide(authorizationUrl, decision = "approve") {
    let answer = await this.#request(authorizationUrl);
    for (let step = 0; step < STEPS_LIMIT; step += 1) {
      if (answer.leavesFor !== undefined) return answer.leavesFor;
      if (answer.goesTo !== undefined) {
        answer = await this.#request(answer.goesTo);
        continue;
      }
      const login = answer.forms.find((form) => form.fields.has("password"));
      const consent = answer.forms.find((form) => form.buttons.some((button) => button.value === decision));
      if (login !== undefined) {
        answer = await this.#submit(login, { username: this.username, password: this.password });
      } else if (consent !== undefined) {
        this.consent = answer.text;
        const button = consent.buttons.find(({ value }) => value === decision);
        answer = await this.#submit(consent, { [button.name]: button.value });
      } else {
        throw new Error(`the person is stuck at ${answer.url} (${answer.status}):\n${answer.text.slice(0, 2_000)}`);
      }
    }
    throw new Error(`no answer after ${STEPS_LIMIT} pages, last at ${answer.url}`);
  }

  /** As `decide`, and then calls the client's redirect as a browser would. */
  async decideAndReturn(authorizationUrl, decision = "approve") {
    const callback = await this.decide(authorizationUrl, decision);
    const response = await fetch(callback, { redirect: "manual", signal: AbortSignal.timeout(WITHIN_MS) });
    await response.text();
    return callback;
  }

  /** Opens a page and says what the person sees: status, text, and where it leads. */
  open(url) {
    return this.#request(url);
  }

  /** Opens a page, signs in where asked, fills in the form that has one of these fields, and says what is shown then. */
  async fillIn(path, values) {
    let answer = await this.#request(path);
    for (let step = 0; step < STEPS_LIMIT; step += 1) {
      const login = answer.forms?.find((form) => form.fields.has("password"));
      const wanted = answer.forms?.find((form) => Object.keys(values).some((name) => form.fields.has(name)));
      if (answer.goesTo !== undefined) answer = await this.#request(answer.goesTo);
      else if (login !== undefined) answer = await this.#submit(login, { username: this.username, password: this.password });
      else if (wanted !== undefined) return this.#submit(wanted, values);
      else throw new Error(`there is no such form at ${answer.url} (${answer.status}):\n${answer.text.slice(0, 2_000)}`);
    }
    throw new Error(`no form after ${STEPS_LIMIT} pages, last at ${answer.url}`);
  }

  #submit(form, filled) {
    const fields = new URLSearchParams([...form.fields]);
    for (const [name, value] of Object.entries(filled)) fields.set(name, value);
    if (form.method !== "post") throw new Error(`the form at ${form.action} is sent with ${form.method}`);
    return this.#request(form.action, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", origin: this.origin, referer: form.page },
      body: fields.toString(),
    });
  }

  async #request(address, { method = "GET", headers = {}, body } = {}) {
    const url = new URL(address, this.origin);
    if (url.origin !== this.origin) throw new Error(`the person does not sign in at ${url.origin}`);
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(url, {
      method,
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(WITHIN_MS),
      headers: { accept: "text/html", ...(cookie === "" ? {} : { cookie }), ...headers },
    });
    this.#remember(response.headers.getSetCookie());
    const html = await response.text();
    const answer = { url: url.href, status: response.status, headers: response.headers };
    const location = response.headers.get("location");
    if (response.status >= 300 && response.status < 400 && location !== null) {
      const target = new URL(location, url);
      return target.origin === this.origin ? { ...answer, goesTo: target } : { ...answer, leavesFor: target };
    }
    return { ...answer, ...read(html, url) };
  }

  #remember(lines) {
    for (const line of lines) {
      const [pair, ...attributes] = line.split(";").map((part) => part.trim());
      const at = pair.indexOf("=");
      const name = pair.slice(0, at);
      const gone = attributes.some((attribute) => /^max-age=(0|-\d+)$/i.test(attribute));
      if (gone) this.#cookies.delete(name);
      else this.#cookies.set(name, pair.slice(at + 1));
    }
  }
}

/** The forms and the visible text of a page. */
function read(html, url) {
  const forms = [];
  const text = [];
  walk(parse(html), (node, form) => {
    if (node.nodeName === "#text") text.push(node.value.trim());
    const attributes = Object.fromEntries((node.attrs ?? []).map(({ name, value }) => [name, value]));
    if (node.nodeName === "form") {
      const opened = {
        page: url.href,
        action: new URL(attributes.action || url.href, url).href,
        method: (attributes.method ?? "get").toLowerCase(),
        fields: new Map(),
        buttons: [],
      };
      forms.push(opened);
      return opened;
    }
    if (form !== undefined && attributes.name !== undefined) place(form, node.nodeName, attributes);
    return form;
  });
  return { forms, text: text.filter((part) => part !== "").join("\n") };
}

function place(form, element, attributes) {
  const { name, type = element === "button" ? "submit" : "text" } = attributes;
  const value = attributes.value ?? (type === "checkbox" || type === "radio" ? "on" : "");
  if (type === "submit") form.buttons.push({ name, value });
  else if ((type === "checkbox" || type === "radio") && attributes.checked === undefined) return;
  else if (element === "input" || element === "textarea") form.fields.set(name, value);
}

function walk(node, visit, form) {
  if (node.nodeName === "script" || node.nodeName === "style") return;
  const inside = visit(node, form) ?? form;
  for (const child of node.childNodes ?? []) walk(child, visit, inside);
}
