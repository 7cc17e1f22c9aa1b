// Somebody wants to know what happened.

import { strict as assert } from "node:assert";
import { readFile } from "node:fs/promises";
import { callTools } from "../support/client.js";
import { withFixture } from "../support/houses.js";

/** More lines than one page shows. */
const CALLS = 60;

const rows = (page) => page.getByRole("table", { name: /What happened/ }).getByRole("row");

/** Signs in at the log once all calls are in it; they are written down in batches. */
async function atTheLog(appliance, { page, at, signIn }) {
  await callTools(appliance.mcpUrl, appliance.personalToken, "whoami", CALLS);
  await page.goto(`${appliance.url}/dashboard/events`);
  await signIn(appliance);
  await at("Events");
  for (let turn = 0; turn < 100 && (await rows(page).count()) <= 50; turn += 1) await page.reload();
}

export const findsOldLines = (somebody) =>
  withFixture(
    (appliance) =>
      somebody(async (person) => {
        const { page, write, choose, press, at } = person;
        await atTheLog(appliance, person);
        await choose("Kind", "Tool calls");
        await write("Person", appliance.username);
        await write("From", "2020-01-31");
        await press("Show");
        await page.waitForURL(/kind=calls.*from=2020-01-31/);
        await at("Events");
        assert.equal(await rows(page).count(), 51);
        await press("Older");
        await page.waitForURL(/at=/);
        await at("Events");
        assert.equal(await rows(page).count(), CALLS - 50 + 1, "the filter goes along");
        await press("Newer");
        await at("Events");
        await write("Person", "nobody");
        await press("Show");
        await page.waitForURL(/person=nobody/);
        await page.getByText("Nobody has this user name.").waitFor();
        await press("Show all");
        await page.waitForURL(/events$/);
        await press("Activity");
        await at("Activity");
      }),
  );

export const exportsTheLog = (somebody) =>
  withFixture(
    (appliance) =>
      somebody(async (person) => {
        const { page, choose, press } = person;
        await atTheLog(appliance, person);
        await choose("Kind", "Tool calls");
        await press("Show");
        await page.waitForURL(/kind=calls/);
        const downloading = page.waitForEvent("download");
        await press("Export as JSON lines");
        const download = await downloading;
        const lines = (await readFile(await download.path(), "utf8")).trim().split("\n").map((line) => JSON.parse(line));
        assert.equal(lines.length, CALLS);
        assert.ok(lines.every((line) => JSON.stringify(line).includes("whoami")), JSON.stringify(lines[0]));
      }),
  );
