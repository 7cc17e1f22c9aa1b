// Does a person come to a second factor, sign in with it and get on without the phone, in a real browser?
//
// Told twice: with JavaScript and without it.

import { strict as assert } from "node:assert";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { startFixture } from "../interop/support/appliance.js";
import { code, keyOn, recoveryCodesOn } from "./support/authenticator_app.js";
import { atHome, heading, openChromium, signIn, withPerson } from "./support/chromium.js";
import { newApplication } from "./support/client.js";

let browser;
before(async () => {
  browser = await openChromium();
});
after(() => browser?.close());

for (const javaScript of [true, false]) {
  const how = javaScript ? "with JavaScript" : "without JavaScript";

  test(`an authenticator app and recovery codes, ${how}`, async () => {
    const appliance = await startFixture();
    try {
      await withPerson(browser, { javaScript }, async ({ page, forgive }) => {
        forgive(/status of 401/);
        await page.goto(`${appliance.url}/login`);
        await signIn(page, appliance);
        await atHome(page);
        const { key, codes } = await addApp(page, appliance);

        await signOut(page);
        await signIn(page, appliance);
        await heading(page, "One more step");
        await page.getByLabel("Code").fill("000000");
        await page.keyboard.press("Enter");
        await page.getByText("This code is not right").waitFor();
        await page.getByLabel("Code").fill(code(key, 1));
        await page.keyboard.press("Enter");
        await atHome(page);

        await signOut(page);
        const application = await newApplication(appliance.mcpUrl, { name: "Inspector" });
        await page.goto(await application.asks());
        await signIn(page, appliance);
        await heading(page, "One more step");
        await page.getByLabel("Code").fill(codes[0]);
        await page.getByRole("button", { name: "Sign in", exact: true }).click();
        await heading(page, /^Allow /);
        await page.getByRole("button", { name: "Allow", exact: true }).click();
        await heading(page, "Back at the client");
        await application.finish(await application.cameBack()).then((client) => client.close());
        application.close();

        await page.goto(`${appliance.url}/dashboard/security`);
        await page.getByText("9 recovery codes left").waitFor();
        await page.getByRole("link", { name: /^Remove/ }).click();
        await page.getByRole("button", { name: "Remove the authenticator app" }).click();
        await page.getByText("The second factor is removed.").waitFor();
      });
    } finally {
      await appliance.stop();
    }
  });
}

/** Adds an app by its key and downloads the recovery codes. */
async function addApp(page, appliance) {
  await page.goto(`${appliance.url}/dashboard/security`);
  await page.getByRole("link", { name: "Add an authenticator app" }).click();
  await heading(page, "Add an authenticator app");
  const key = await keyOn(page);
  await page.getByLabel("Enter the code that it shows").fill(code(key));
  await page.getByRole("button", { name: "Add the app" }).click();
  await heading(page, "Your recovery codes");
  const codes = await recoveryCodesOn(page);
  assert.equal(codes.length, 10);
  const downloading = page.waitForEvent("download");
  await page.getByRole("link", { name: "Download as text" }).click();
  const download = await downloading;
  assert.equal(download.suggestedFilename(), "keyward-recovery-codes.txt");
  const text = await readFile(await download.path(), "utf8");
  for (const each of codes) assert.ok(text.includes(each), text);
  await page.getByRole("link", { name: "I have kept them" }).click();
  await page.getByText("Your second factor is on.").waitFor();
  return { key, codes };
}

async function signOut(page) {
  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await heading(page, "Sign in");
}
