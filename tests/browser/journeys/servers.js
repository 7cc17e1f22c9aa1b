// An admin puts a server behind Keyward, without touching a file.

import { strict as assert } from "node:assert";
import { statusWith } from "../support/client.js";
import { withFixture } from "../support/houses.js";
import { startTools } from "../support/tools.js";

export const ownServer = (somebody) =>
  withFixture(async (appliance) => {
    const tools = await startTools();
    try {
      await somebody((person) => told(appliance, tools, person));
    } finally {
      tools.close();
    }
  });

async function told(appliance, tools, { page, forgive, write, press, at, signIn }) {
  forgive(/status of 422/);
  await page.goto(`${appliance.url}/login`);
  await signIn(appliance);
  await at("Your servers");
  await press("Servers");
  await at("Servers");
  await press("New server");
  await at("New server");
  await write("Name", "notes");
  await write("Title", "Notes");
  await write("URL", "http://127.0.0.1:1/mcp");
  await press("Test the connection");
  await page.getByText("Nothing listens at").waitFor();
  assert.equal(await page.getByLabel("Title").inputValue(), "Notes", "nothing that was entered is lost");
  await write("URL", tools.url);
  await press("Test the connection");
  await page.getByText("It works: ").waitFor();
  assert.match(await page.getByRole("row", { name: /read_page/ }).innerText(), /only reads/);
  assert.match(await page.getByRole("row", { name: /delete_page/ }).innerText(), /may change things/);
  await press(page.getByText("More: scopes"));
  await write("Scopes of its own", "notes:write = write_*\nnotes:tidy = delete_*");
  await press("Add the server");
  await at("Notes");
  await page.getByText("The server is added.").waitFor();
  const mcpUrl = `${appliance.url}/mcp/notes`;
  assert.equal(await statusWith(mcpUrl, appliance.personalToken), 200, "and is reached at once");

  await press("Change");
  await at("Change “Notes”");
  await write("Title", "Notes of the team");
  await press("Save");
  await at("Notes of the team");
  await press("Switch off");
  await page.getByText("The server is off.").waitFor();
  assert.equal(await statusWith(mcpUrl, appliance.personalToken), 404);
  await press("Remove");
  await at("Remove “Notes of the team”?");
  await press("Remove Notes of the team");
  await at("Servers");
  assert.equal(await page.getByRole("link", { name: "Notes of the team" }).count(), 0);
}
