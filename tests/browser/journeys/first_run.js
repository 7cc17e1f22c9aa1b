// From an empty folder to a working token and a connected client.

import { strict as assert } from "node:assert";
import { picture } from "../support/chromium.js";
import { newApplication, statusWith, whoami, withToken } from "../support/client.js";
import { withEmptyFolder } from "../support/houses.js";

const ada = { username: "ada", password: "a lantern over the harbour wall" };
const changed = { ...ada, password: "the harbour wall at low tide" };

export const firstRun = (somebody) =>
  withEmptyFolder((appliance) =>
    somebody(async (person) => {
      await setUp(appliance, person);
      await person.signOut();
      await person.page.goto(`${appliance.url}/dashboard`);
      await person.at("Sign in");
      await person.signIn(ada);
      await person.at("Your servers");
      await personalToken(appliance, person);
      await connection(appliance, person);
      await keysAndPassword(person);
    }),
  );

async function setUp(appliance, { page, write, press, at }) {
  assert.ok(appliance.setupUrl, `the first start prints a set-up link:\n${appliance.log()}`);
  const bare = await fetch(`${appliance.url}/setup`, { redirect: "manual" });
  assert.ok(!(await bare.text()).includes('name="password"'), "without the secret /setup shows nothing useful");

  await page.goto(appliance.setupUrl);
  await at("Set up Keyward");
  await picture(page, "set-up");
  await write("User name", ada.username);
  await write("Password", ada.password);
  await write("The same password again", ada.password);
  await press("Create the account");
  await at("Your servers");

  const again = await fetch(appliance.setupUrl, { redirect: "manual" });
  assert.ok(!(await again.text()).includes('name="password"'), "the link works once");
}

async function personalToken(appliance, { page, context, javaScript, write, press, at }) {
  const name = "Laptop & <friends>";
  await press("API keys");
  await at("Personal access tokens");
  await press("New token");
  await at("New token");
  await write("Name", name);
  await press("Create the token");
  await at(`“${name}” is ready`);

  const token = (await page.locator("#token").innerText()).trim();
  assert.match(token, /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/);
  if (javaScript) {
    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: appliance.url });
    await press("Copy the token");
    await page.getByRole("button", { name: "Copied the token" }).waitFor();
    assert.equal((await page.evaluate(() => navigator.clipboard.readText())).trim(), token);
  } else {
    const copy = page.getByRole("button", { name: "Copy the token" });
    assert.equal(await copy.isVisible(), false, "a button that cannot work is not shown");
  }

  const client = await withToken(appliance.mcpUrl, token);
  const said = await whoami(client);
  assert.ok(said.includes(ada.username) && said.includes("Laptop"), said);
  await client.close();

  await press("I have copied it");
  await at("Personal access tokens");
  assert.ok(!(await page.content()).includes(token), "the token is shown once");
  const row = page.getByRole("row", { name });
  assert.match(await row.innerText(), /active/);
  assert.match(await row.innerText(), /127\.0\.0\.1/, "last used is known at once");

  await press(row.getByRole("link", { name, exact: true }));
  await at(name);
  await press("Rename");
  await at(`Rename “${name}”`);
  await write("New name", "Desk");
  await press("Rename");
  await at("Personal access tokens");
  await press("Revoke Desk");
  await at("Revoke “Desk”?");
  assert.equal(await statusWith(appliance.mcpUrl, token), 200, "asking is not revoking");
  await press("Revoke this token");
  await at("Personal access tokens");
  assert.equal(await statusWith(appliance.mcpUrl, token), 401, "refused from the next request on");
  assert.match(await page.getByRole("row", { name: "Desk" }).innerText(), /revoked/);
}

async function connection(appliance, { page, press, at }) {
  const application = await newApplication(appliance.mcpUrl, { name: "Browser journey" });
  try {
    await page.goto(await application.asks());
    await at(/Allow an unverified client to connect/);
    await press("Allow");
    await page.getByRole("heading", { name: "Back at the client" }).waitFor();
    const client = await application.finish(await application.cameBack());
    const said = await whoami(client);
    assert.ok(said.includes(ada.username) && said.includes("Browser journey"), said);

    await page.goto(`${appliance.url}/dashboard`);
    await press("Connected apps");
    await at("Connected apps");
    await press("Revoke Browser journey");
    await at("Revoke “Browser journey”?");
    await press("Revoke this app");
    await at("Connected apps");
    await assert.rejects(client.listTools(), "the client is refused from its next request on");
    await client.close();
  } finally {
    application.close();
  }
}

async function keysAndPassword(person) {
  const { page, write, press, at } = person;
  await press("Signing keys");
  await at("Signing keys");
  await press(page.getByRole("row", { name: /signs new tokens/ }).getByRole("link", { name: /^Condemn/ }));
  await at("Condemn this key?");
  await press("Condemn this key");
  await page.getByRole("cell", { name: /nothing it signed is accepted/ }).waitFor();
  await page.getByRole("cell", { name: /signs new tokens/ }).waitFor();

  await press("Security");
  await at("Security");
  await write("Current password", ada.password);
  await write("New password", changed.password);
  await write("The new password again", changed.password);
  await press("Change the password");
  await page.getByText("Your password is changed").waitFor();
  await person.signOut();
  await person.signIn(changed);
  await at("Your servers");
}
