// Does the consent form reach the client in a real browser, whatever kind of redirect the client has?
//
// Chromium applies a page's `form-action` policy also to the redirect that answers the form: a policy that is too
// strict strands the person, one that is too loose is none.

import { strict as assert } from "node:assert";
import { test } from "node:test";
import { heading, picture, signIn, withPerson } from "./support/chromium.js";
import { newApplication, whoami } from "./support/client.js";
import { fixtureAndBrowser } from "./support/houses.js";

const { appliance, browser } = await fixtureAndBrowser();

const allow = (page) => page.getByRole("button", { name: "Allow", exact: true }).click();

/** Opens the application's request and signs in on the way. */
async function arrive(page, application) {
  await page.goto(await application.asks());
  await signIn(page, appliance);
  await heading(page, /^Allow /);
}

for (const host of ["127.0.0.1", "localhost"]) {
  for (const javaScript of [true, false]) {
    test(`approval reaches a listener on ${host} ${javaScript ? "with" : "without"} JavaScript`, async () => {
      const application = await newApplication(appliance.mcpUrl, { name: `Consent ${host}`, host });
      await withPerson(browser, { javaScript }, async ({ page }) => {
        await arrive(page, application);
        await allow(page);
        await heading(page, "Back at the client");
      });
      const parameters = await application.cameBack();
      assert.equal(parameters.get("state"), application.state);
      assert.equal(parameters.get("iss"), appliance.url);
      const client = await application.finish(parameters);
      assert.ok((await whoami(client)).includes(appliance.username));
      await client.close();
      application.close();
    });
  }
}

test("a refusal reaches the client as access_denied", async () => {
  const application = await newApplication(appliance.mcpUrl, { name: "Consent refused" });
  await withPerson(browser, {}, async ({ page }) => {
    await arrive(page, application);
    await page.getByRole("button", { name: "Do not allow" }).click();
    await heading(page, "Back at the client");
  });
  const parameters = await application.cameBack();
  assert.equal(parameters.get("error"), "access_denied");
  assert.equal(parameters.get("code"), null);
  application.close();
});

for (const [title, redirect] of [
  ["an https redirect", "https://claude.ai/api/mcp/auth_callback"],
  ["a private-use scheme", "cursor://anysphere.cursor-mcp/oauth/callback"],
]) {
  test(`approval leaves for ${title} without breaking the page's policy`, async () => {
    const application = await newApplication(appliance.mcpUrl, { name: `Consent ${title}`, redirect });
    await withPerson(browser, {}, async ({ page, context, forgive }) => {
      await arrive(page, application);
      const left = context.waitForEvent("requestfailed", (request) => request.url().startsWith(redirect));
      await allow(page);
      assert.match((await left).failure().errorText, /NAME_NOT_RESOLVED|UNKNOWN_URL_SCHEME|ABORTED/);
      forgive(new RegExp(`^failed: ${redirect.replaceAll(/[.?/]/g, "\\$&")}`));
      forgive(/Failed to launch|net::ERR_(NAME_NOT_RESOLVED|UNKNOWN_URL_SCHEME)/);
    });
    application.close();
  });
}

test("with nobody listening, going back shows the callback to copy, and it works", async () => {
  const application = await newApplication(appliance.mcpUrl, { name: "Consent elsewhere", listens: false });
  let copied;
  await withPerson(browser, {}, async ({ page, forgive }) => {
    await arrive(page, application);
    forgive(/ERR_CONNECTION_REFUSED/);
    await allow(page);
    await page.waitForURL(/^chrome-error:/);
    await page.goBack();
    await heading(page, /You have allowed/);
    await picture(page, "consent-done-light");
    copied = new URL((await page.locator("#callback").innerText()).trim());
  });
  assert.equal(copied.origin + copied.pathname, application.redirectUrl);
  assert.equal(copied.searchParams.get("state"), application.state);
  const client = await application.finish(copied.searchParams);
  assert.ok((await whoami(client)).includes("Consent elsewhere"));
  await client.close();
});

test("a wrong password is answered on the page and the request survives it", async () => {
  const application = await newApplication(appliance.mcpUrl, { name: "Consent after a slip" });
  await withPerson(browser, {}, async ({ page, forgive }) => {
    forgive(/status of 4\d\d/);
    await page.goto(await application.asks());
    await signIn(page, { username: appliance.username, password: "not the password at all" });
    await page.getByRole("alert").waitFor();
    await signIn(page, appliance);
    await heading(page, /^Allow an unverified client/);
    await allow(page);
    await heading(page, "Back at the client");
  });
  application.close();
});

test("GET /authorize may be fetched by a program first and asked again by the browser", async () => {
  const application = await newApplication(appliance.mcpUrl, { name: "Consent prefetched" });
  const url = await application.asks();
  for (let time = 0; time < 2; time += 1) await (await fetch(url, { redirect: "manual" })).text();
  await withPerson(browser, {}, async ({ page }) => {
    await page.goto(url);
    await signIn(page, appliance);
    await heading(page, /^Allow an unverified client/);
    await page.goto(url);
    await allow(page);
    await heading(page, "Back at the client");
  });
  const client = await application.finish(await application.cameBack());
  await client.close();
  application.close();
});
