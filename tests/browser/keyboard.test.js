// Does whoever has keys only get there too? The journeys again, by keyboard alone; and what keys alone need of each page.

import { strict as assert } from "node:assert";
import { test } from "node:test";
import { journeys } from "./journeys/index.js";
import { looks, withPerson } from "./support/chromium.js";
import { keyboard, walk } from "./support/hands.js";
import { fixtureAndBrowser } from "./support/houses.js";

const { appliance, browser } = await fixtureAndBrowser();

for (const [title, journey] of Object.entries(journeys)) {
  test(`${title}, by keyboard`, () => journey((act) => withPerson(browser, { hands: keyboard }, act)));
}

test("the first key leads past the navigation to the content", () =>
  withPerson(browser, { hands: keyboard }, async (person) => {
    const { page } = person;
    await page.goto(`${appliance.url}/dashboard/api-keys`);
    await person.signIn(appliance);
    await person.at("Personal access tokens");
    await page.keyboard.press("Tab");
    const skip = page.getByRole("link", { name: "Skip to the content" });
    assert.ok(await skip.evaluate((link) => link === document.activeElement && link.getBoundingClientRect().top >= 0));
    await page.keyboard.press("Enter");
    await page.waitForURL(/#main$/);
    await page.keyboard.press("Tab");
    assert.ok(await page.evaluate(() => document.activeElement.closest("main") !== null), "the next stop is in it");
  }));

for (const lookName of ["light", "dark", "phone"]) {
  test(`the focus goes through whole pages as one reads them, and out again, ${lookName}`, () =>
    withPerson(browser, { look: looks[lookName] }, async ({ page, signIn, at }) => {
      await page.goto(`${appliance.url}/login`);
      await signIn(appliance);
      await at("Your servers");
      for (const path of ["", "/api-keys", "/servers", "/servers/keyward", "/users", "/events", "/security", "/check"]) {
        await page.goto(`${appliance.url}/dashboard${path}`);
        await walk(page);
      }
    }));
}
