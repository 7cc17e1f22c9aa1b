// A person comes to a second factor, signs in with it, and gets on without the phone.

import { strict as assert } from "node:assert";
import { readFile } from "node:fs/promises";
import { code, keyOn, recoveryCodesOn } from "../support/authenticator_app.js";
import { newApplication } from "../support/client.js";
import { withFixture } from "../support/houses.js";

export const secondFactor = (somebody) =>
  withFixture((appliance) =>
    somebody(async (person) => {
      const { page, forgive, write, press, at } = person;
      forgive(/status of 401/);
      await page.goto(`${appliance.url}/login`);
      await person.signIn(appliance);
      await at("Your servers");
      const { key, codes } = await addApp(person);

      await person.signOut();
      await person.signIn(appliance);
      await at("One more step");
      await write("Code", "000000");
      await press("Sign in");
      await page.getByText("This code is not right").waitFor();
      await write("Code", code(key, 1));
      await press("Sign in");
      await at("Your servers");

      await person.signOut();
      const application = await newApplication(appliance.mcpUrl, { name: "Inspector" });
      await page.goto(await application.asks());
      await person.signIn(appliance);
      await at("One more step");
      await write("Code", codes[0]);
      await press("Sign in");
      await at(/^Allow /);
      await press("Allow");
      await page.getByRole("heading", { name: "Back at the client" }).waitFor();
      await application.finish(await application.cameBack()).then((client) => client.close());
      application.close();

      await page.goto(`${appliance.url}/dashboard/security`);
      await page.getByText("9 recovery codes left").waitFor();
      await press("Make new ones");
      await at("Make new recovery codes?");
      await press("Make new codes");
      await at("Your recovery codes");
      const renewed = await recoveryCodesOn(page);
      assert.ok(!renewed.includes(codes[1]), "the new codes are new");
      await press("I have kept them");
      await at("Security");
      await page.getByText("10 recovery codes left").waitFor();
      await press(/^Remove/);
      await at(/^Remove the authenticator app/);
      await press("Remove the authenticator app");
      await page.getByText("The second factor is removed.").waitFor();
    }),
  );

/** Adds an app by its key and downloads the recovery codes. */
async function addApp({ page, write, press, at }) {
  await press("Security");
  await at("Security");
  await press("Add an authenticator app");
  await at("Add an authenticator app");
  const key = await keyOn(page);
  await press(page.getByText("Enter a key instead of scanning"));
  await page.locator("#secret").waitFor();
  await write("Enter the code that it shows", code(key));
  await press("Add the app");
  await at("Your recovery codes");
  const codes = await recoveryCodesOn(page);
  assert.equal(codes.length, 10);
  const downloading = page.waitForEvent("download");
  await press("Download as text");
  const download = await downloading;
  assert.equal(download.suggestedFilename(), "keyward-recovery-codes.txt");
  const text = await readFile(await download.path(), "utf8");
  for (const each of codes) assert.ok(text.includes(each), text);
  await press("I have kept them");
  await page.getByText("Your second factor is on.").waitFor();
  return { key, codes };
}
