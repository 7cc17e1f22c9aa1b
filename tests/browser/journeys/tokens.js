// Tokens and apps that may do no more than they must.

import { strict as assert } from "node:assert";
import { newApplication, statusWith, whoami } from "../support/client.js";
import { withFixture } from "../support/houses.js";

/** A token that reaches one server and only reads there. */
export const narrowToken = (somebody) =>
  withFixture((appliance) =>
    somebody(async (person) => {
      const { page, forgive, write, tick, choose, press, at } = person;
      forgive(/status of 422/);
      await page.goto(`${appliance.url}/dashboard/api-keys`);
      await person.signIn(appliance);
      await at("Personal access tokens");
      await press("New token");
      await at("New token");
      await write("Name", "Nightly report");
      await choose("Works for", await firstOption(page));
      await tick(page.getByRole("radio", { name: "Only these" }));
      await tick(page.getByRole("radio", { name: /^Only read/ }));
      await press("Create the token");
      await page.getByText("Choose one server at least.").waitFor();
      await tick(page.getByRole("checkbox").first());
      await press("Create the token");
      await at("“Nightly report” is ready");
      const token = (await page.locator("#token").innerText()).trim();
      assert.equal(await statusWith(appliance.mcpUrl, token), 200);
      await press("I have copied it");
      await at("Personal access tokens");
      await write("Name", "nightly");
      await press("Show");
      await page.waitForURL(/text=nightly/);
      const row = page.getByRole("row", { name: "Nightly report" });
      assert.match(await row.innerText(), /read/i);
      await press("Revoke Nightly report");
      await at("Revoke “Nightly report”?");
      await press("Keep it");
      await at("Personal access tokens");
      await press("Revoke Nightly report");
      await at("Revoke “Nightly report”?");
      await press("Revoke this token");
      await at("Personal access tokens");
      assert.equal(await statusWith(appliance.mcpUrl, token), 401);
    }),
  );

const firstOption = (page) => page.getByLabel("Works for").evaluate(({ options }) => options[0].label);

/** A token is replaced by one with the same rights; both work until the old one ends. */
export const rotation = (somebody) =>
  withFixture((appliance) =>
    somebody(async ({ page, tick, press, at, signIn }) => {
      await page.goto(`${appliance.url}/dashboard/api-keys`);
      await signIn(appliance);
      await at("Personal access tokens");
      await press(/^Rotate/);
      await at(/^Rotate/);
      await tick(page.getByRole("radio", { name: "In 24 hours" }));
      await press("Make the new token");
      await at(/is ready$/);
      const fresh = (await page.locator("#token").innerText()).trim();
      assert.notEqual(fresh, appliance.personalToken);
      for (const token of [fresh, appliance.personalToken]) assert.equal(await statusWith(appliance.mcpUrl, token), 200);
      await press("I have copied it");
      await at("Personal access tokens");
      await page.getByRole("cell", { name: /ends in 1 day/ }).waitFor();
      await press("Revoke all");
      await at(/^Revoke all/);
      await press("Revoke all of them");
      await at("Personal access tokens");
      for (const token of [fresh, appliance.personalToken]) assert.equal(await statusWith(appliance.mcpUrl, token), 401);
    }),
  );

/** An app that may do everything is left with reading. */
export const smallerApp = (somebody) =>
  withFixture((appliance) =>
    somebody(async ({ page, press, at, signIn }) => {
      const application = await newApplication(appliance.mcpUrl, { name: "Inspector" });
      await page.goto(await application.asks());
      await at("Sign in");
      await signIn(appliance);
      await at(/^Allow /);
      await press("Allow");
      await page.getByRole("heading", { name: "Back at the client" }).waitFor();
      const client = await application.finish(await application.cameBack());
      await whoami(client);
      await page.goto(`${appliance.url}/dashboard/connections`);
      await at("Connected apps");
      await press(/^Lower what Inspector/);
      await at("What may “Inspector” do?");
      await press("Lower it");
      await at("Connected apps");
      const row = page.getByRole("row", { name: /Inspector/ });
      assert.match(await row.innerText(), /lowered/);
      assert.match(await row.innerText(), /read/i);
      await client.close();
      application.close();
    }),
  );
