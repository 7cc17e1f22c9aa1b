// A Keyward that has something to show on every page: people, tokens, apps, servers and calls in many states.

import { join } from "node:path";
import { freePort, scratchFolder, startFixture, startServe } from "../../interop/support/appliance.js";
import { code, keyOn, recoveryCodesOn } from "../support/authenticator_app.js";
import { atHome, heading, signIn, withPerson } from "../support/chromium.js";
import { callTools, newApplication } from "../support/client.js";
import { startTools } from "../support/tools.js";

const LONG = "A rather long name that somebody gave without a thought for narrow screens, and went on and on with";
const LONG_WORD = "a-name-in-one-word-that-nobody-can-break-on-a-narrow-screen-64ch";

/** Everything that the pages are looked at in; `close()` ends it. */
export async function openHouse(browser) {
  const folder = await scratchFolder("pages");
  const tools = await startTools();
  const port = await freePort();
  // Passkeys need a host with a name.
  const config = `public_url = "http://localhost:${port}"\n[servers.broken]\ncommand = ["/bin/false"]\n`;
  const house = {
    appliance: await startFixture({ config, port }),
    /** Nobody has set it up. */
    unfurnished: await startServe({ dataDir: join(folder.path, "data"), port: await freePort() }),
    tools,
    /** Links that work once, each to be looked at and not used. */
    links: {},
    /** Somebody with a second factor, and the recovery codes that are left. */
    guarded: { username: "carol", password: "a lantern over the harbour", codes: [] },
    async close() {
      await house.unfurnished.stop();
      await house.appliance.stop();
      tools.close();
      await folder.remove();
    },
  };
  try {
    await withPerson(browser, {}, ({ page }) => furnish(browser, page, house));
    return house;
  } catch (error) {
    await house.close();
    throw error;
  }
}

async function furnish(browser, page, { appliance, tools, links, guarded }) {
  const goto = (path) => page.goto(`${appliance.url}/dashboard${path}`);
  await page.goto(`${appliance.url}/login`);
  await signIn(page, appliance);
  await atHome(page);

  for (const name of ["writers", LONG_WORD]) {
    await goto("/groups");
    await page.getByLabel("Name").fill(name);
    await page.getByLabel("What it is for").fill(name === "writers" ? "Who may change pages" : LONG);
    await page.getByRole("button", { name: "Make the group" }).click();
    await heading(page, name);
  }
  for (const name of ["grace.brewster.murray.hopper@example.org", LONG_WORD, "ben", guarded.username, ""]) {
    links.invitation = await invite(page, appliance, name);
    if (name !== "") await joinIn(browser, appliance, links.invitation, name, guarded);
  }
  await goto("/users");
  await page.getByRole("link", { name: "ben" }).click();
  await page.getByRole("link", { name: "Reset link" }).click();
  await page.getByRole("button", { name: "Make the link" }).click();
  links.reset = await page.locator("#link").innerText();
  await goto("/users");
  await page.getByRole("link", { name: "grace" }).click();
  await page.getByRole("link", { name: "Disable" }).click();
  await page.getByRole("button", { name: /^Disable/ }).click();
  await heading(page, /^grace/);

  await addServer(page, appliance, { name: "wiki", title: "Wiki", url: tools.url, scopes: "wiki:write = write_*" });
  await addServer(page, appliance, { name: "notes", title: LONG.slice(0, 100), url: "http://127.0.0.1:1/mcp" });
  await addServer(page, appliance, { name: "mail", title: "Mail", url: "http://127.0.0.1:1/mcp", whose: "A key of each user’s own" });
  await addServer(page, appliance, { name: "shelved", title: "Shelved", url: "http://127.0.0.1:1/mcp" });
  await page.getByRole("button", { name: "Switch off" }).click();
  await page.getByText("The server is off.").waitFor();
  await goto("/servers/mail/key");
  await page.getByLabel("Key").fill("ntn_1");
  await page.getByRole("button", { name: "Store the key" }).click();
  await page.getByText("Your key is stored.").waitFor();

  await goto("/api-keys");
  const secrets = await page.evaluate(makeTokens, [
    ...Array.from({ length: 52 }, (_, index) => ({ name: `Machine ${index + 1}`, expiry: "90" })),
    { name: LONG.slice(0, 80), expiry: "7" },
    { name: "An old one", expiry: "30" },
    { name: "Found in a paste", expiry: "30" },
    { name: "Backup script", expiry: "365" },
  ]);
  await goto("/api-keys?text=An+old+one");
  await page.getByRole("link", { name: /^Revoke An old one/ }).click();
  await page.getByRole("button", { name: "Revoke this token" }).click();
  await fetch(`${appliance.url}/leaked-token`, { method: "POST", body: new URLSearchParams({ token: secrets.at(-2) }) });

  for (const name of ["Inspector", LONG_WORD]) {
    const application = await newApplication(appliance.mcpUrl, { name });
    await page.goto(await application.asks());
    await page.getByRole("button", { name: "Allow", exact: true }).click();
    await heading(page, "Back at the client");
    await application.finish(await application.cameBack()).then((client) => client.close());
    application.close();
  }

  const wiki = `${appliance.url}/mcp/wiki`;
  for (const tool of ["read_page", "write_page", "delete_page"]) await callTools(wiki, secrets.at(-1), tool, 3);
  // Refused: it was revoked, and it is for another server.
  for (const [url, token] of [[wiki, secrets.at(-3)], [`${appliance.url}/mcp/broken`, secrets.at(-1)]]) {
    await callTools(url, token, "read_page", 1).catch(() => {});
  }
}

async function addServer(page, appliance, { name, title, url, scopes, whose }) {
  await page.goto(`${appliance.url}/dashboard/servers/new`);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Title").fill(title);
  await page.getByLabel("URL", { exact: true }).fill(url);
  if (whose !== undefined) await page.getByLabel(whose).check();
  if (scopes !== undefined) {
    await page.getByText("More: scopes").click();
    await page.getByLabel("Scopes of its own").fill(scopes);
  }
  await page.getByRole("button", { name: "Add the server" }).click();
  await heading(page, title);
}

/** Makes tokens with the page's own form, uses each once, and returns their secrets. Runs in the page. */
async function makeTokens(tokens) {
  const read = async (response) => new DOMParser().parseFromString(await response.text(), "text/html");
  const secrets = [];
  for (const { name, expiry } of tokens) {
    const form = (await read(await fetch("/dashboard/api-keys/new"))).querySelector("main form");
    const fields = new URLSearchParams(new FormData(form));
    fields.set("name", name);
    fields.set("expiry", expiry);
    const made = await read(await fetch("/dashboard/api-keys/new", { method: "POST", body: fields }));
    if (!made.querySelector("#token")) throw new Error(`${name}: ${made.querySelector("main").innerText}`);
    secrets.push(made.querySelector("#token").textContent.trim());
    const headers = {
      authorization: `Bearer ${secrets.at(-1)}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    };
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" });
    await (await fetch("/mcp", { method: "POST", headers, body })).text();
  }
  return secrets;
}

/** Invites somebody into the writers, who may have to choose the name; returns the link. */
async function invite(page, appliance, name) {
  await page.goto(`${appliance.url}/dashboard/invitations/new`);
  await page.getByLabel("User name").fill(name);
  await page.getByLabel("For whom").fill(name === "" ? LONG : "");
  await page.getByLabel("writers").check();
  await page.getByRole("button", { name: "Make the link" }).click();
  await heading(page, "The invitation is ready");
  return page.locator("#link").innerText();
}

/** Somebody else opens an invitation and makes the account, with a second factor if they are to have one. */
async function joinIn(browser, appliance, link, name, guarded) {
  await withPerson(browser, {}, async ({ page }) => {
    await page.goto(link);
    await page.getByLabel("Password", { exact: true }).fill(guarded.password);
    await page.getByLabel("The same password again").fill(guarded.password);
    await page.getByRole("button", { name: "Create the account" }).click();
    await atHome(page);
    if (name !== guarded.username) return;
    await page.goto(`${appliance.url}/dashboard/security/authenticator`);
    await page.getByLabel("Enter the code that it shows").fill(code(await keyOn(page)));
    await page.getByRole("button", { name: "Add the app" }).click();
    guarded.codes = await recoveryCodesOn(page);
  });
}
