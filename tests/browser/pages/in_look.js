// Is every page good to look at and to use: light and wide, dark, at phone width, and for a screen reader?
//
// Each page is opened and judged (support/judge.js). A page of the router that nobody opens here fails.

import { strict as assert } from "node:assert";
import { after, before, test } from "node:test";
import { recoveryCodesOn } from "../support/authenticator_app.js";
import { atHome, heading, looks, openChromium, signIn, withPerson } from "../support/chromium.js";
import { judge } from "../support/judge.js";
import { pagesOf, routesOfPages } from "./all.js";
import { openHouse } from "./house.js";

/** The tests of all pages in one look. */
export function pagesIn(lookName) {
  const look = looks[lookName];
  let house;
  let pages;
  let browser;
  before(async () => {
    browser = await openChromium();
    house = await openHouse(browser);
    pages = pagesOf(house);
  });
  after(async () => {
    await browser?.close();
    await house?.close();
  });

  async function enter(page, who) {
    await page.goto(`${house.appliance.url}/login`);
    await signIn(page, who);
    await atHome(page);
  }

  test("no page is left out", async () => {
    const { stranger, admin, member, withFactor } = pages;
    const opened = Object.values({ ...stranger, ...admin, ...member, ...withFactor }).map(([route]) => route);
    assert.deepEqual((await routesOfPages()).filter((route) => !opened.includes(route)), []);
  });

  test(`pages before signing in, ${lookName}`, () =>
    withPerson(browser, { look }, async ({ page, forgive }) => {
      forgive(/status of 4\d\d/);
      await judge(page, pages.stranger, lookName);
    }));

  test(`pages of an admin and consent, ${lookName}`, () =>
    withPerson(browser, { look }, async ({ page, forgive }) => {
      forgive(/status of 4(22|01)/);
      await enter(page, house.appliance);
      await judge(page, pages.admin, lookName);
    }));

  test(`pages of a member, ${lookName}`, () =>
    withPerson(browser, { look }, async ({ page, forgive }) => {
      forgive(/status of 403/);
      await enter(page, { ...house.guarded, username: "ben" });
      await judge(page, pages.member, lookName);
    }));

  test(`pages of somebody with a second factor, ${lookName}`, () =>
    withPerson(browser, { look }, async ({ page }) => {
      await pages.givePassword(page);
      await page.getByLabel("Code").fill(house.guarded.codes.pop());
      await page.keyboard.press("Enter");
      await page.getByText("You signed in with a recovery code.").waitFor();
      await judge(page, pages.withFactor, lookName);
      const renewed = async () => {
        await page.goto(`${house.appliance.url}/dashboard/security/recovery-codes`);
        await page.getByRole("button", { name: "Make new codes" }).click();
        await heading(page, "Your recovery codes");
        house.guarded.codes = await recoveryCodesOn(page);
      };
      await judge(page, { "factor-codes": ["/dashboard/security/recovery-codes", renewed] }, lookName);
    }));

  test(`pages of somebody who must add a second factor, ${lookName}`, async () => {
    await withPerson(browser, {}, async ({ page }) => {
      await enter(page, house.appliance);
      await page.goto(`${house.appliance.url}/dashboard/users/policy`);
      await page.getByRole("radio", { name: /^Everybody/ }).check();
      await page.getByRole("button", { name: "Save" }).click();
      await heading(page, "Add an authenticator app");
    });
    await withPerson(browser, { look }, async ({ page }) => {
      const demanded = async () => {
        await page.goto(`${house.appliance.url}/login`);
        await signIn(page, { ...house.guarded, username: "ben" });
        await heading(page, "Add an authenticator app");
      };
      await judge(page, { "authenticator-demanded": ["/dashboard/security/authenticator", demanded] }, lookName);
    });
  });
}
