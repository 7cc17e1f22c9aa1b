// Does a passkey work in a real browser? Made, used after the password, and used alone, with Chromium's virtual authenticator.

import { strict as assert } from "node:assert";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { freePort, scratchFolder, startServe } from "../interop/support/appliance.js";
import { recoveryCodesOn } from "./support/authenticator_app.js";
import { atHome, heading, looks, openChromium, picture, signIn, withPerson } from "./support/chromium.js";
import { faults } from "./support/judge.js";

const ada = { username: "ada", password: "a lantern over the harbour wall" };

let appliance;
let folder;
let browser;
let recoveryCodes;
before(async () => {
  folder = await scratchFolder("passkeys");
  appliance = await startServe({ dataDir: join(folder.path, "data"), port: await freePort(), host: "localhost" });
  browser = await openChromium();
});
after(async () => {
  await browser?.close();
  await appliance?.stop();
  await folder?.remove();
});

/** Gives the tab a security key that always says yes. */
async function authenticator({ context, page }, credentials = []) {
  const client = await context.newCDPSession(page);
  await client.send("WebAuthn.enable");
  const { authenticatorId } = await client.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  for (const credential of credentials) await client.send("WebAuthn.addCredential", { authenticatorId, credential });
  return {
    credentials: async () => (await client.send("WebAuthn.getCredentials", { authenticatorId })).credentials,
    verify: (isUserVerified) => client.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified }),
  };
}

async function isFlawless(page) {
  assert.deepEqual(await faults(page), [], page.url());
}

test("a passkey is made, signs in after the password and signs in alone", async () => {
  let credentials;
  await withPerson(browser, {}, async (person) => {
    const { page } = person;
    const key = await authenticator(person);
    await page.goto(appliance.setupUrl);
    await page.getByLabel("User name").fill(ada.username);
    await page.getByLabel("Password", { exact: true }).fill(ada.password);
    await page.getByLabel("The same password again").fill(ada.password);
    await page.getByRole("button", { name: "Create the account" }).click();
    await atHome(page);
    await page.goto(`${appliance.url}/dashboard/security`);
    await page.getByRole("link", { name: "Add a passkey" }).click();
    await heading(page, "Add a passkey");
    await isFlawless(page);
    await picture(page, "passkey-new");
    await page.getByLabel("Name").fill("Blue security key");
    await page.getByRole("button", { name: "Make the passkey" }).click();
    await heading(page, /recovery codes/i);
    recoveryCodes = await recoveryCodesOn(page);
    credentials = await key.credentials();
    assert.equal(credentials.length, 1);
    assert.equal(credentials[0].rpId, "localhost");

    await page.goto(`${appliance.url}/dashboard/security`);
    await page.getByText("Blue security key").first().waitFor();
    await isFlawless(page);
    await picture(page, "passkey-listed");
    await page.goto(`${appliance.url}/dashboard/security/passkeys/new`);
    await page.getByLabel("Name").fill("The same again");
    await page.getByRole("button", { name: "Make the passkey" }).click();
    await page.getByText("This device holds a passkey of yours already.").first().waitFor();
  });

  await withPerson(browser, {}, async (person) => {
    const { page } = person;
    const key = await authenticator(person, credentials);
    await page.goto(`${appliance.url}/login`);
    await signIn(page, ada);
    await heading(page, "One more step");
    await isFlawless(page);
    await picture(page, "passkey-second-factor");
    await page.getByRole("button", { name: "Use a passkey" }).click();
    await atHome(page);
    credentials = await key.credentials();
  });

  await withPerson(browser, {}, async (person) => {
    const { page, forgive } = person;
    forgive(/status of 401/);
    const key = await authenticator(person, credentials);
    await page.goto(`${appliance.url}/dashboard/api-keys`);
    await heading(page, "Sign in");
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await heading(page, "Personal access tokens");

    await page.goto(`${appliance.url}/confirm`);
    await heading(page, "Is it still you?");
    await isFlawless(page);
    await picture(page, "passkey-confirm");
    await page.getByRole("button", { name: "Use a passkey" }).click();
    await atHome(page);
    await key.verify(false);
    await page.goto(`${appliance.url}/confirm`);
    await page.getByRole("button", { name: "Use a passkey" }).click();
    await page.getByText(/passkey was not/).first().waitFor();
    await heading(page, "Is it still you?");
    await page.getByLabel("Password").fill(ada.password);
    await page.keyboard.press("Enter");
    await atHome(page);
    await key.verify(true);

    await page.getByRole("button", { name: "Sign out", exact: true }).click();
    await heading(page, "Sign in");
    await key.verify(false);
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await page.getByText(/passkey was not/).first().waitFor();
    assert.match(page.url(), /\/login/, "a key that does not know who holds it signs nobody in alone");
  });
});

for (const [lookName, look] of Object.entries(looks)) {
  test(`the ways in with a passkey, ${lookName}`, () =>
    withPerson(browser, { look }, async (person) => {
      await authenticator(person);
      await person.page.goto(`${appliance.url}/login`);
      await person.page.getByRole("button", { name: "Sign in with a passkey" }).waitFor();
      await isFlawless(person.page);
      await picture(person.page, `login-passkey-${lookName}`);
      await signIn(person.page, ada);
      await heading(person.page, "One more step");
      await isFlawless(person.page);
      await picture(person.page, `second-factor-passkey-${lookName}`);
    }));
}

test("without JavaScript the pages say what passkeys need, and the other ways stay", () =>
  withPerson(browser, { javaScript: false }, async ({ page }) => {
    await page.goto(`${appliance.url}/login`);
    await page.getByText("Passkeys need JavaScript").waitFor();
    assert.equal(await page.getByRole("button", { name: "Sign in with a passkey" }).count(), 0);
    await signIn(page, ada);
    await heading(page, "One more step");
    await page.getByText("Passkeys need JavaScript").waitFor();
    // The sign-ins of the tests before, which stopped half way, have to be waited for.
    await page.waitForTimeout(4_000);
    await page.getByLabel("Code").fill(recoveryCodes[0]);
    await page.keyboard.press("Enter");
    await heading(page, "Security");
    await page.goto(`${appliance.url}/confirm`);
    await heading(page, "Is it still you?");
    await page.getByText("Passkeys need JavaScript").waitFor();
    assert.equal(await page.getByRole("button", { name: "Use a passkey" }).count(), 0);
    await page.getByLabel("Password").fill(ada.password);
    await page.keyboard.press("Enter");
    await atHome(page);
  }));
