// People, and the browsers in which they are signed in.

import { strict as assert } from "node:assert";
import { withFixture } from "../support/houses.js";

const grace = { username: "grace", password: "a nanosecond of copper wire" };

/** An admin makes a group and a link, somebody opens it, and is where the admin put them. */
export const invitation = (somebody) =>
  withFixture(async (appliance) => {
    let link;
    await somebody(async ({ page, write, tick, press, at, signIn }) => {
      await page.goto(`${appliance.url}/dashboard/users`);
      await at("Sign in");
      await signIn(appliance);
      await at("Users");
      await press("Groups");
      await at("Groups");
      await write("Name", "writers");
      await press("Make the group");
      await at("writers");
      await press("Users");
      await at("Users");
      await press("Invite somebody");
      await at("Invite somebody");
      await write("For whom (optional)", "Grace, from the harbour");
      await write("User name (optional)", grace.username);
      await tick("writers");
      await press("Make the link");
      await at("The invitation is ready");
      link = (await page.locator("#link").innerText()).trim();
      await press("To the list");
      await at("Invitations");
      assert.match(await page.getByRole("row", { name: /grace/ }).innerText(), /open/);
    });
    await somebody(async ({ page, forgive, write, press, at, signOut }) => {
      forgive(/status of 4(22|10)/);
      await page.goto(link);
      await at("Come in");
      assert.equal(await page.getByLabel("User name").inputValue(), grace.username);
      await write("Password", grace.password);
      await write("The same password again", `${grace.password}!`);
      await press("Create the account");
      await page.locator("#password-problem").waitFor();
      await write("Password", grace.password);
      await write("The same password again", grace.password);
      await press("Create the account");
      await at("Your servers");
      await page.getByText("Welcome. The account is yours").waitFor();
      assert.equal(await page.getByRole("link", { name: "Users" }).count(), 0, "a member has no pages of admins");
      await signOut();
      await page.goto(link);
      assert.equal(await page.getByLabel("Password").count(), 0, "the link works once");
    });
    await somebody(async ({ page, press, at, signIn }) => {
      await page.goto(`${appliance.url}/dashboard/users`);
      await signIn(appliance);
      await at("Users");
      assert.match(await page.getByRole("row", { name: /grace/ }).innerText(), /writers/);
      await press("grace");
      await at("grace");
      await press("Disable");
      await at("Disable grace?");
      await press(/^Disable/);
      await page.getByText("The user is disabled.").waitFor();
    });
  });

/** The page that asks again before what hands out power takes the password, and no other. */
export const proof = (somebody) =>
  withFixture((appliance) =>
    somebody(async ({ page, forgive, write, press, at, signIn }) => {
      forgive(/status of 401/);
      await page.goto(`${appliance.url}/login`);
      await signIn(appliance);
      await at("Your servers");
      await page.goto(`${appliance.url}/confirm`);
      await at("Is it still you?");
      await write("Password", "not this one");
      await press("Go on");
      await page.getByText("This is not your password.").waitFor();
      await write("Password", appliance.password);
      await press("Go on");
      await at("Your servers");
    }),
  );

/** Somebody sees in which browsers they are signed in, and ends the other session. */
export const otherBrowser = (somebody) =>
  withFixture((appliance) =>
    somebody(async (first) => {
      await first.page.goto(`${appliance.url}/login`);
      await first.signIn(appliance);
      await first.at("Your servers");
      await somebody(async ({ page, press, at, signIn }) => {
        await page.goto(`${appliance.url}/login`);
        await signIn(appliance);
        await at("Your servers");
        await press("Security");
        await at("Security");
        await press("Look at the sessions");
        await at("Sessions");
        assert.equal(await page.getByRole("row").count(), 3, "two browsers and the head of the table");
        await press(/^End (?!all)/);
        await at(/^End .*\?$/);
        await press("End this session");
        await at("Sessions");
        await page.getByText("You are signed in in this browser only.").waitFor();
      });
      await first.page.reload();
      await first.at("Sign in");
    }),
  );
