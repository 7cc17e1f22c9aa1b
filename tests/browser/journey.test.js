// Does a self-hoster get from an empty folder to a working token and a connected client, in a real browser?
//
// Told twice: with JavaScript and without it. No page may log an error or break its own Content-Security-Policy.

import { strict as assert } from "node:assert";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { freePort, scratchFolder, startServe } from "../interop/support/appliance.js";
import { atHome, heading, openChromium, picture, signIn, withPerson } from "./support/chromium.js";
import { newApplication, statusWith, whoami, withToken } from "./support/client.js";

const admin = { username: "ada", password: "a lantern over the harbour wall" };

let browser;
before(async () => {
  browser = await openChromium();
});
after(() => browser?.close());

for (const javaScript of [true, false]) {
  const how = javaScript ? "with JavaScript" : "without JavaScript";

  test(`first run ${how}: set up, sign in, make, copy, use and revoke a token, connect and revoke a client`, async () => {
    const folder = await scratchFolder("journey");
    const appliance = await startServe({ dataDir: join(folder.path, "data"), port: await freePort() });
    try {
      await withPerson(browser, { javaScript }, async (person) => {
        await setUp(appliance, person.page, javaScript);
        await signOutAndIn(appliance, person.page);
        await personalToken(appliance, person, javaScript);
        await connection(appliance, person.page);
        await keysAndPassword(appliance, person.page);
      });
    } finally {
      await appliance.stop();
      await folder.remove();
    }
  });
}

async function setUp(appliance, page, javaScript) {
  assert.ok(appliance.setupUrl, `the first start prints a set-up link:\n${appliance.log()}`);
  const bare = await fetch(`${appliance.url}/setup`, { redirect: "manual" });
  assert.ok(!(await bare.text()).includes('name="password"'), "without the secret /setup shows nothing useful");

  await page.goto(appliance.setupUrl);
  await heading(page, "Set up Keyward");
  if (javaScript) await picture(page, "set-up");
  await page.getByLabel("User name").fill(admin.username);
  await page.getByLabel("Password", { exact: true }).fill(admin.password);
  await page.getByLabel("The same password again").fill(admin.password);
  await page.getByRole("button", { name: "Create the account" }).click();
  await atHome(page);

  const again = await fetch(appliance.setupUrl, { redirect: "manual" });
  assert.ok(!(await again.text()).includes('name="password"'), "the link works once");
}

async function signOutAndIn(appliance, page) {
  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await heading(page, "Sign in");
  await page.goto(`${appliance.url}/dashboard`);
  await heading(page, "Sign in");
  await signIn(page, admin);
  await atHome(page);
}

async function personalToken(appliance, { page, context }, javaScript) {
  const name = "Laptop & <friends>";
  await page.getByRole("link", { name: "API keys" }).click();
  await heading(page, "Personal access tokens");
  await page.getByRole("link", { name: "New token" }).first().click();
  await page.getByLabel("Name").fill(name);
  await page.getByRole("button", { name: "Create the token" }).click();
  await heading(page, `“${name}” is ready`);

  const token = (await page.locator("#token").innerText()).trim();
  assert.match(token, /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/);
  const copy = page.getByRole("button", { name: "Copy the token" });
  if (javaScript) {
    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: appliance.url });
    await copy.click();
    await page.getByRole("button", { name: "Copied the token" }).waitFor();
    assert.equal((await page.evaluate(() => navigator.clipboard.readText())).trim(), token);
  } else {
    assert.equal(await copy.isVisible(), false, "a button that cannot work is not shown");
  }

  const client = await withToken(appliance.mcpUrl, token);
  const said = await whoami(client);
  assert.ok(said.includes(admin.username) && said.includes("Laptop"), said);
  await client.close();

  await page.getByRole("link", { name: "I have copied it" }).click();
  await heading(page, "Personal access tokens");
  assert.ok(!(await page.content()).includes(token), "the token is shown once");
  const row = page.getByRole("row", { name });
  assert.match(await row.innerText(), /active/);
  assert.match(await row.innerText(), /127\.0\.0\.1/, "last used is known at once");

  await row.getByRole("link", { name, exact: true }).click();
  await heading(page, name);
  await page.getByRole("link", { name: "Rename" }).click();
  await page.getByLabel("New name").fill("Desk");
  await page.getByRole("button", { name: "Rename" }).click();
  await page.getByRole("row", { name: "Desk" }).getByRole("link", { name: /^Revoke/ }).click();
  await heading(page, "Revoke “Desk”?");
  assert.equal(await statusWith(appliance.mcpUrl, token), 200, "asking is not revoking");
  await page.getByRole("button", { name: "Revoke this token" }).click();
  await heading(page, "Personal access tokens");
  assert.equal(await statusWith(appliance.mcpUrl, token), 401, "refused from the next request on");
  assert.match(await page.getByRole("row", { name: "Desk" }).innerText(), /revoked/);
}

async function connection(appliance, page) {
  const application = await newApplication(appliance.mcpUrl, { name: "Browser journey" });
  try {
    await page.goto(await application.asks());
    await heading(page, /Allow an unverified client to connect/);
    await page.getByRole("button", { name: "Allow", exact: true }).click();
    await heading(page, "Back at the client");
    const client = await application.finish(await application.cameBack());
    const said = await whoami(client);
    assert.ok(said.includes(admin.username) && said.includes("Browser journey"), said);

    await page.goto(`${appliance.url}/dashboard`);
    await page.getByRole("link", { name: "Connected apps" }).click();
    const row = page.getByRole("row", { name: "Browser journey" });
    await row.getByRole("link", { name: /^Revoke/ }).click();
    await page.getByRole("button", { name: "Revoke this app" }).click();
    await heading(page, "Connected apps");
    await assert.rejects(client.listTools(), "the client is refused from its next request on");
    await client.close();
  } finally {
    application.close();
  }
}

async function keysAndPassword(appliance, page) {
  await page.getByRole("link", { name: "Signing keys" }).click();
  await heading(page, "Signing keys");
  await page.getByRole("row", { name: /signs new tokens/ }).getByRole("link", { name: /^Condemn/ }).click();
  await page.getByRole("button", { name: "Condemn this key" }).click();
  await page.getByRole("cell", { name: /nothing it signed is accepted/ }).waitFor();
  await page.getByRole("cell", { name: /signs new tokens/ }).waitFor();

  await page.getByRole("link", { name: "Security" }).click();
  await page.getByLabel("Current password").fill(admin.password);
  await page.getByLabel("New password", { exact: true }).fill("the harbour wall at low tide");
  await page.getByLabel("The new password again").fill("the harbour wall at low tide");
  await page.getByRole("button", { name: "Change the password" }).click();
  await page.locator(".notice").waitFor();
  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await heading(page, "Sign in");
  await page.goto(`${appliance.url}/dashboard`);
  await signIn(page, { ...admin, password: "the harbour wall at low tide" });
  await atHome(page);
}
