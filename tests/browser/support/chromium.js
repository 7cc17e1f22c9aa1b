// A person's browser: Debian's Chromium, watched for everything that must not happen on a page.
//
// CHROMIUM names the executable. The browser reaches loopback and nothing else.

import { strict as assert } from "node:assert";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { chromium } from "playwright-core";
import { heading, mouse } from "./hands.js";

export { heading };

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const STEP_WITHIN_MS = 15_000;

/** One browser for a test file. */
export function openChromium() {
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    ],
  });
}

/** The looks in which every page must be good. */
export const looks = {
  light: { colorScheme: "light", viewport: { width: 1440, height: 900 } },
  dark: { colorScheme: "dark", viewport: { width: 1280, height: 860 } },
  phone: { colorScheme: "light", viewport: { width: 390, height: 844 } },
};

/**
 * Lets `act` use a fresh profile with one open tab, and fails if anything went wrong in it.
 *
 * That is: console errors and warnings, Content-Security-Policy violations, uncaught exceptions and requests that
 * failed. `person.forgive(pattern)` names one that the test itself provoked. An error of `act` comes back with what
 * the tab showed and what went wrong before. What the person does on the page, the `hands` do.
 */
export async function withPerson(browser, { javaScript = true, look = looks.light, hands = mouse } = {}, act) {
  const context = await browser.newContext({ ...look, javaScriptEnabled: javaScript });
  context.setDefaultTimeout(STEP_WITHIN_MS);
  const troubles = watch(context);
  const forgiven = [];
  const page = await context.newPage();
  const person = { context, page, javaScript, forgive: (pattern) => forgiven.push(pattern), ...acts(page, hands(page)) };
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      console.error(`policy violation: ${event.effectiveDirective} ${event.blockedURI}`);
    });
  });
  try {
    await act(person);
  } catch (error) {
    const shown = await person.page.locator("body").innerText({ timeout: 2_000 }).catch(() => "nothing");
    const story = [`at ${person.page.url()}: ${error.message}`, "--- shown ---", shown, "--- troubles ---", ...troubles];
    throw new Error(story.join("\n"), { cause: error });
  } finally {
    await context.close();
  }
  const left = troubles.filter((trouble) => !forgiven.some((pattern) => pattern.test(trouble)));
  assert.deepEqual(left, [], "nothing went wrong on any page");
}

/** What a person does on a page. Fields are named by their labels, buttons and links by what they say, or given. */
function acts(page, hands) {
  const isName = (what) => typeof what === "string" || what instanceof RegExp;
  const named = (what, find) => (isName(what) ? find({ name: what, exact: typeof what === "string" }).first() : what);
  const field = (what) => named(what, ({ name, exact }) => page.getByLabel(name, { exact }));
  const control = (what) =>
    named(what, (wanted) => page.getByRole("button", wanted).or(page.getByRole("link", wanted)));
  return {
    write: (what, text) => hands.write(field(what), text),
    tick: (what) => hands.tick(field(what)),
    choose: (what, option) => hands.choose(field(what), option),
    press: (what) => hands.press(control(what)),
    at: (name) => hands.at(name),
    /** Signs in with the form that the page shows. */
    async signIn({ username, password }) {
      await hands.write(field("User name"), username);
      await hands.write(field("Password"), password);
      await hands.press(control("Sign in"));
    },
    async signOut() {
      await hands.press(control("Sign out"));
      await hands.at("Sign in");
    },
  };
}

/** The list into which everything goes that must not happen in `context`. */
function watch(context) {
  const troubles = [];
  context.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) troubles.push(`console ${message.type()}: ${message.text()}`);
  });
  context.on("weberror", (error) => troubles.push(`exception: ${error.error()}`));
  context.on("requestfailed", (request) => {
    const why = request.failure()?.errorText;
    // A person who goes on before an icon has arrived has broken nothing.
    if (why !== "net::ERR_ABORTED") troubles.push(`failed: ${request.url()} ${why}`);
  });
  return troubles;
}

/** Saves what the tab shows, if KEYWARD_SCREENSHOTS names a folder. */
export async function picture(page, name) {
  const folder = process.env.KEYWARD_SCREENSHOTS;
  if (!folder) return;
  await mkdir(resolve(folder), { recursive: true });
  await page.screenshot({ path: join(resolve(folder), `${name}.png`), fullPage: true });
}

/** Fills in the sign-in form that the tab shows. */
export async function signIn(page, { username, password }) {
  await page.getByLabel("User name").fill(username);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

/** Waits until the tab is at the start of the dashboard. */
export async function atHome(page) {
  await heading(page, "Your servers");
}
