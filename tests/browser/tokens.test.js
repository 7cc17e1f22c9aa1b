// Does the page of a new token live? It turns green at the first use, and asks who would leave without having copied it.

import { strict as assert } from "node:assert";
import { once } from "node:events";
import { test } from "node:test";
import { atHome, heading, picture, signIn, withPerson } from "./support/chromium.js";
import { statusWith } from "./support/client.js";
import { fixtureAndBrowser } from "./support/houses.js";

const { appliance, browser } = await fixtureAndBrowser();

/** Makes a token and returns it; the tab shows it. */
async function makeToken(page, name) {
  await page.goto(`${appliance.url}/dashboard/api-keys/new`);
  await page.getByLabel("Name").fill(name);
  await page.getByRole("button", { name: "Create the token" }).click();
  await heading(page, `“${name}” is ready`);
  return (await page.locator("#token").textContent()).trim();
}

test("a new token waits for its first use and turns green", () =>
  withPerson(browser, {}, async ({ page }) => {
    await page.goto(`${appliance.url}/login`);
    await signIn(page, appliance);
    await atHome(page);
    const token = await makeToken(page, "Laptop");
    await page.locator("#first-use.seal-warn", { hasText: "waiting for its first use" }).waitFor();
    assert.equal(await statusWith(appliance.mcpUrl, token), 200);
    await page.locator("#first-use.seal-good", { hasText: "used just now from 127.0.0.1" }).waitFor();
    await picture(page, "token-used");
  }));

test("who leaves before the token was copied is asked, and afterwards not", () =>
  withPerson(browser, {}, async ({ context, page }) => {
    await page.goto(`${appliance.url}/login`);
    await signIn(page, appliance);
    await atHome(page);
    await makeToken(page, "Phone");
    await page.locator("h1").click();
    const asked = once(page, "dialog");
    await page.close({ runBeforeUnload: true });
    const [dialog] = await asked;
    assert.equal(dialog.type(), "beforeunload");
    await dialog.dismiss();
    await heading(page, "“Phone” is ready");

    await page.getByRole("link", { name: "I have copied it" }).click();
    await heading(page, "Personal access tokens");
    const other = await context.newPage();
    await makeToken(other, "Tablet");
    await other.getByRole("link", { name: "Download" }).click();
    await other.close({ runBeforeUnload: true });
    if (!other.isClosed()) await once(other, "close");
  }));
