// Is every page good to look at and to use: light, dark, at phone width, and for a screen reader?
//
// Each page is opened in each look. It must not log an error, not scroll sideways, and have no finding of axe-core.
// With KEYWARD_SCREENSHOTS naming a folder, each is saved there to be looked at.

import { strict as assert } from "node:assert";
import { join } from "node:path";
import { after, before, test } from "node:test";
import axe from "axe-core";
import { freePort, scratchFolder, startFixture, startServe } from "../interop/support/appliance.js";
import { code, keyOn, recoveryCodesOn } from "./support/authenticator_app.js";
import { atHome, heading, looks, openChromium, picture, signIn, withPerson } from "./support/chromium.js";
import { newApplication } from "./support/client.js";

let appliance;
let unfurnished;
let folder;
let browser;
/** Links that work once, each to be looked at and not used. */
const links = {};
/** Somebody with a second factor, and the recovery codes that are left. */
const guarded = { username: "carol", password: "a lantern over the harbour", codes: [] };
before(async () => {
  folder = await scratchFolder("pages");
  appliance = await startFixture();
  unfurnished = await startServe({ dataDir: join(folder.path, "data"), port: await freePort() });
  browser = await openChromium();
  await furnish();
});
after(async () => {
  await browser?.close();
  await unfurnished?.stop();
  await appliance?.stop();
  await folder?.remove();
});

/** Gives the lists something to show: tokens in several states and two connected apps. */
async function furnish() {
  await withPerson(browser, {}, async ({ page }) => {
    await page.goto(`${appliance.url}/login`);
    await signIn(page, appliance);
    await atHome(page);
    for (const name of ["writers", "a-group-with-a-long-name-for-a-narrow-screen"]) {
      await page.goto(`${appliance.url}/dashboard/groups`);
      await page.getByLabel("Name").fill(name);
      await page.getByRole("button", { name: "Make the group" }).click();
      await heading(page, name);
    }
    for (const name of ["grace.brewster.murray.hopper@example.org", "ben", guarded.username, ""]) {
      links.invitation = await invite(page, name);
      if (name !== "") await joinIn(links.invitation, name === guarded.username);
    }
    await page.goto(`${appliance.url}/dashboard/users`);
    await page.getByRole("link", { name: "ben" }).click();
    await page.getByRole("link", { name: "Reset link" }).click();
    await page.getByRole("button", { name: "Make the link" }).click();
    links.reset = await page.locator("#link").innerText();
    await page.goto(`${appliance.url}/dashboard/users`);
    await page.getByRole("link", { name: "grace" }).click();
    await page.getByRole("link", { name: "Disable" }).click();
    await page.getByRole("button", { name: /^Disable/ }).click();
    await heading(page, /^grace/);
    for (const name of ["Claude Code on the laptop", "Backup script", "An old one with a rather long name for a narrow screen"]) {
      await page.goto(`${appliance.url}/dashboard/api-keys`);
      await page.getByRole("link", { name: "New token" }).first().click();
      await page.getByLabel("Name").fill(name);
      await page.getByLabel("Works for").selectOption({ index: 0 });
      await page.getByRole("button", { name: "Create the token" }).click();
      await heading(page, `“${name}” is ready`);
    }
    await page.goto(`${appliance.url}/dashboard/api-keys`);
    await page.getByRole("row", { name: "An old one" }).getByRole("link", { name: /^Revoke/ }).click();
    await page.getByRole("button", { name: "Revoke this token" }).click();
    await page.goto(`${appliance.url}/dashboard/servers/new`);
    await page.getByLabel("Name").fill("notes");
    await page.getByLabel("Title").fill("Notes of the whole team, with a rather long title");
    await page.getByLabel("URL", { exact: true }).fill("http://127.0.0.1:1/mcp");
    await page.getByText("More: scopes").click();
    await page.getByLabel("Scopes of its own").fill("notes:write = write_*, edit_*");
    await page.getByRole("button", { name: "Add the server" }).click();
    await heading(page, "Notes of the whole team");
    for (const name of ["Inspector", "An editor with a long name"]) {
      const application = await newApplication(appliance.mcpUrl, { name });
      await page.goto(await application.asks());
      await page.getByRole("button", { name: "Allow", exact: true }).click();
      await heading(page, "Back at the client");
      await application.finish(await application.cameBack()).then((client) => client.close());
      application.close();
    }
  });
}

/** Invites somebody into the writers, who may have to choose the name; returns the link. */
async function invite(page, name) {
  await page.goto(`${appliance.url}/dashboard/invitations/new`);
  await page.getByLabel("User name").fill(name);
  await page.getByLabel("For whom").fill(name === "" ? "whoever comes next" : "");
  await page.getByLabel("writers").check();
  await page.getByRole("button", { name: "Make the link" }).click();
  await heading(page, "The invitation is ready");
  return page.locator("#link").innerText();
}

/** Somebody else opens an invitation and makes the account, with a second factor if they are to have one. */
async function joinIn(link, addsFactor) {
  await withPerson(browser, {}, async ({ page }) => {
    await page.goto(link);
    await page.getByLabel("Password", { exact: true }).fill(guarded.password);
    await page.getByLabel("The same password again").fill(guarded.password);
    await page.getByRole("button", { name: "Create the account" }).click();
    await atHome(page);
    if (!addsFactor) return;
    await page.goto(`${appliance.url}/dashboard/security/authenticator`);
    await page.getByLabel("Enter the code that it shows").fill(code(await keyOn(page)));
    await page.getByRole("button", { name: "Add the app" }).click();
    guarded.codes = await recoveryCodesOn(page);
  });
}

const dashboard = (path) => (page) => page.goto(`${appliance.url}/dashboard${path}`);
const follow = (path, link) => async (page) => {
  await page.goto(`${appliance.url}/dashboard${path}`);
  await page.getByRole("link", { name: link }).first().click();
};

/** Gives the password of somebody who has a second factor. */
async function givePassword(page) {
  await page.goto(`${appliance.url}/login`);
  await signIn(page, guarded);
  await heading(page, "One more step");
}

/** Pages for somebody who is not signed in. */
const outside = {
  login: (page) => page.goto(`${appliance.url}/login`),
  connect: (page) => page.goto(appliance.mcpUrl),
  "set-up": (page) => page.goto(unfurnished.setupUrl),
  "set-up-refused": (page) => page.goto(`${appliance.url}/setup`),
  "second-factor": givePassword,
  "second-factor-wrong": async (page) => {
    await givePassword(page);
    await page.getByLabel("Code").fill("000000");
    await page.keyboard.press("Enter");
    await page.getByText("This code is not right").waitFor();
  },
  invitation: (page) => page.goto(links.invitation),
  reset: (page) => page.goto(links.reset),
  "reset-over": (page) => page.goto(`${appliance.url}/reset?secret=none`),
  "not-found": (page) => page.goto(`${appliance.url}/no-such-page`),
  "authorize-refused": (page) => page.goto(`${appliance.url}/authorize?client_id=cli_unknown&response_type=code`),
};

/** Pages for the admin, each by the way a person takes to it. */
const inside = {
  home: dashboard(""),
  "tokens-list": dashboard("/api-keys"),
  "tokens-new": follow("/api-keys", "New token"),
  "tokens-created": async (page) => {
    await follow("/api-keys", "New token")(page);
    await page.getByLabel("Name").fill(`Picture ${Math.random().toString(36).slice(2)}`);
    await page.getByRole("button", { name: "Create the token" }).click();
    await heading(page, /is ready/);
  },
  "tokens-filled-in": dashboard("/api-keys/new?name=Claude+Code&server=keyward&server=none&scope=mcp:read&expires=14"),
  "tokens-none": dashboard("/api-keys?text=zebra"),
  "tokens-show": follow("/api-keys", "Backup script"),
  "tokens-rotate": follow("/api-keys", /^Rotate/),
  "tokens-rename": async (page) => {
    await follow("/api-keys", "Backup script")(page);
    await page.getByRole("link", { name: "Rename" }).click();
    await heading(page, /^Rename/);
  },
  "tokens-revoke": follow("/api-keys", /^Revoke (?!all)/),
  "tokens-revoke-all": follow("/api-keys", "Revoke all"),
  "connections-list": dashboard("/connections"),
  "connections-narrow": follow("/connections", /^Lower what Inspector/),
  access: dashboard("/access"),
  "access-tokens": dashboard("/access?what=tokens"),
  "access-nothing": dashboard("/access?person=nobody"),
  "connections-revoke": follow("/connections", /^Revoke Inspector/),
  "connections-revoke-all": follow("/connections", "Revoke all"),
  "servers-list": dashboard("/servers"),
  "servers-new": dashboard("/servers/new"),
  "servers-tested": async (page) => {
    await page.goto(`${appliance.url}/dashboard/servers/new`);
    await page.getByLabel("Name").fill("files");
    await page.getByLabel("URL", { exact: true }).fill("http://127.0.0.1:1/mcp");
    await page.getByText("A credential, the same for all users").click();
    await page.getByLabel("Value", { exact: true }).fill("hunter2");
    await page.getByRole("button", { name: "Test the connection" }).click();
    await page.getByText("Nothing listens at").waitFor();
  },
  "servers-refused": async (page) => {
    await page.goto(`${appliance.url}/dashboard/servers/new`);
    await page.getByLabel("Name").fill("keyward");
    await page.getByLabel("URL", { exact: true }).fill("http://127.0.0.1:1/mcp");
    await page.getByRole("button", { name: "Add the server" }).click();
    await page.getByText("has that name").waitFor();
  },
  "servers-own": dashboard("/servers/notes"),
  "servers-built-in": dashboard("/servers/keyward"),
  activity: dashboard("/activity"),
  events: dashboard("/events"),
  "events-calls": dashboard("/events?kind=calls&person=demo"),
  "events-nobody": dashboard("/events?person=nobody&from=2026-01-01"),
  "servers-edit": follow("/servers/notes", "Change"),
  "servers-remove": follow("/servers/notes", "Remove"),
  security: dashboard("/security"),
  "security-authenticator": async (page) => {
    await follow("/security", "Add an authenticator app")(page);
    await page.getByText("Enter a key instead of scanning").click();
  },
  "security-authenticator-wrong": async (page) => {
    await follow("/security", "Add an authenticator app")(page);
    await page.getByLabel("Enter the code that it shows").fill("000000");
    await page.getByRole("button", { name: "Add the app" }).click();
    await page.getByText("This code is not right").waitFor();
  },
  "users-policy": follow("/users", "Sign-in policy"),
  "users-guarded": follow("/users", "carol"),
  "users-reset-factors": async (page) => {
    await follow("/users", "carol")(page);
    await page.getByRole("link", { name: "Remove" }).click();
    await heading(page, /^Remove the second factor of/);
  },
  sessions: dashboard("/security/sessions"),
  "sessions-end": follow("/security/sessions", /^End (?!all)/),
  "sessions-end-others": dashboard("/security/sign-out-everywhere"),
  confirm: (page) => page.goto(`${appliance.url}/confirm`),
  "confirm-wrong": async (page) => {
    await page.goto(`${appliance.url}/confirm`);
    await page.getByLabel("Password").fill("not this one");
    await page.getByRole("button", { name: "Go on" }).click();
    await page.getByText("This is not your password.").waitFor();
  },
  "users-list": dashboard("/users"),
  "users-none": dashboard("/users?name=nobody"),
  "users-user": follow("/users", "ben"),
  "users-disabled": follow("/users", "grace"),
  "users-delete": async (page) => {
    await follow("/users", "ben")(page);
    await page.getByRole("link", { name: "Delete" }).click();
  },
  "groups-list": dashboard("/groups"),
  "groups-group": follow("/groups", "writers"),
  "groups-remove": follow("/groups", /^Remove writers/),
  "invitations-list": dashboard("/invitations"),
  "invitations-new": dashboard("/invitations/new"),
  "invitations-revoke": follow("/invitations", /^Revoke/),
  "clients-list": dashboard("/clients"),
  "clients-new": dashboard("/clients/new"),
  "clients-pin": dashboard("/clients/pin"),
  "keys-list": follow("", "Signing keys"),
  "keys-condemn": async (page) => {
    await follow("", "Signing keys")(page);
    await page.getByRole("link", { name: /^Condemn/ }).first().click();
  },
  check: follow("", "Check"),
  "check-walked": async (page) => {
    await follow("", "Check")(page);
    await page.getByLabel("Personal token, for a call").fill(appliance.personalToken);
    await page.getByRole("button", { name: "Check", exact: true }).click();
    await page.getByRole("heading", { name: "Cursor" }).waitFor();
    for (const steps of await page.locator("summary").all()) await steps.click();
    await page.getByText("it works: 4 tools").first().waitFor();
  },
  consent: async (page) => {
    const application = await newApplication(appliance.mcpUrl, { name: "Picture of a client" });
    await page.goto(await application.asks());
    await heading(page, /^Allow /);
    application.close();
  },
  "consent-document": async (page) => {
    const application = await newApplication(appliance.mcpUrl, {
      name: "Claude Code",
      clientId: "https://claude.ai/oauth/claude-code-client-metadata",
      host: "localhost",
    });
    await page.goto(await application.asks());
    await heading(page, /^Allow /);
    application.close();
  },
};

/** Pages for somebody who has a second factor. */
const withFactor = {
  "factor-security": dashboard("/security"),
  "factor-remove": follow("/security", /^Remove/),
  "factor-codes-renew": follow("/security", "Make new ones"),
  "factor-codes": async (page) => {
    await follow("/security", "Make new ones")(page);
    await page.getByRole("button", { name: "Make new codes" }).click();
    await heading(page, "Your recovery codes");
    guarded.codes = await recoveryCodesOn(page);
  },
};

for (const [lookName, look] of Object.entries(looks)) {
  test(`pages before signing in, ${lookName}`, () =>
    withPerson(browser, { look }, async ({ page, forgive }) => {
      forgive(/status of 4\d\d/);
      await judge(page, outside, lookName);
    }));

  test(`pages of the dashboard and consent, ${lookName}`, () =>
    withPerson(browser, { look }, async ({ page, forgive }) => {
      forgive(/status of 4(22|01)/);
      await page.goto(`${appliance.url}/login`);
      await signIn(page, appliance);
      await atHome(page);
      await judge(page, inside, lookName);
    }));
}

for (const [lookName, look] of Object.entries(looks)) {
  test(`pages of somebody with a second factor, ${lookName}`, () =>
    withPerson(browser, { look }, async ({ page }) => {
      await givePassword(page);
      await page.getByLabel("Code").fill(guarded.codes.pop());
      await page.keyboard.press("Enter");
      await page.getByText("You signed in with a recovery code.").waitFor();
      await judge(page, withFactor, lookName);
    }));
}

/** Opens each page and gathers every finding before failing, so that one run tells all. */
async function judge(page, pages, lookName) {
  const findings = [];
  for (const [name, open] of Object.entries(pages)) {
    try {
      await open(page);
      await picture(page, `${name}-${lookName}`);
      findings.push(...(await faults(page)).map((fault) => `${name}: ${fault}`));
    } catch (error) {
      findings.push(`${name} at ${page.url()}: ${error.message}`);
    }
  }
  assert.deepEqual(findings, [], findings.join("\n"));
}

async function faults(page) {
  const found = [];
  const { scroll, width } = await page.evaluate(() => ({
    scroll: document.documentElement.scrollWidth,
    width: document.documentElement.clientWidth,
  }));
  if (scroll > width) found.push(`scrolls sideways: ${scroll} px in a window of ${width} px`);
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, help, nodes } of violations) {
    found.push(`${id}: ${help}: ${nodes.map((node) => node.html).slice(0, 3).join(" ")}`);
  }
  return found;
}
