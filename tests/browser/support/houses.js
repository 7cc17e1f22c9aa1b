// Keywards for one journey or one file of tests: one that has somebody in it, and one that nobody has set up.

import { join } from "node:path";
import { after } from "node:test";
import { freePort, scratchFolder, startFixture, startServe } from "../../interop/support/appliance.js";
import { openChromium } from "./chromium.js";

/** In memory, with one admin and a token, and a browser beside it: both for all tests of the file that asks. */
export async function fixtureAndBrowser() {
  const browser = await openChromium();
  const appliance = await startFixture();
  after(async () => {
    await browser.close();
    await appliance.stop();
  });
  return { appliance, browser };
}

/** In memory, with one admin and a token. */
export async function withFixture(act, options) {
  const appliance = await startFixture(options);
  try {
    await act(appliance);
  } finally {
    await appliance.stop();
  }
}

/** On an empty folder. */
export async function withEmptyFolder(act) {
  const folder = await scratchFolder("journey");
  const appliance = await startServe({ dataDir: join(folder.path, "data"), port: await freePort() });
  try {
    await act(appliance);
  } finally {
    await appliance.stop();
    await folder.remove();
  }
}
