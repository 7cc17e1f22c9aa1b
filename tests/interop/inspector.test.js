// Does the Inspector's command line list and call tools, with a personal token in each era and signed in by itself?

import { strict as assert } from "node:assert";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { BUILT_IN_TOOLS } from "./support/agent.js";
import { freePort, scratchFolder, startFixture } from "./support/appliance.js";
import { installed, runToEnd } from "./support/command.js";
import { Person } from "./support/person.js";
import { scriptedBrowser } from "./support/scripted_browser.js";

let appliance;
let home;
before(async () => {
  appliance = await startFixture();
  home = await scratchFolder("inspector");
});
after(async () => {
  await appliance?.stop();
  await home?.remove();
});

/** Runs the command line, with a `token` in the header or with more `env`. */
function inspect(era, { token, env = {} }, ...method) {
  const launcher = installed("@modelcontextprotocol/inspector/clients/launcher/build/index.js");
  const header = token === undefined ? [] : ["--header", `Authorization: Bearer ${token}`];
  const args = [launcher, "--cli", appliance.mcpUrl, "--transport", "http", ...header, "--protocol-era", era];
  const own = { HOME: home.path, MCP_STORAGE_DIR: home.path, MCP_CATALOG_PATH: `${home.path}/mcp.json`, ...env };
  const options = { env: own, withinMs: 60_000 };
  return runToEnd(process.execPath, [...args, "--format", "json", "--quiet", ...method], options);
}

const withToken = () => ({ token: appliance.personalToken });

for (const era of ["legacy", "auto", "modern"]) {
  test(`Inspector lists and calls tools with a personal token (${era} era)`, async () => {
    const list = await inspect(era, withToken(), "--method", "tools/list");
    assert.equal(list.code, 0, `${list.stdout}\n${list.stderr}`);
    for (const tool of BUILT_IN_TOOLS) assert.ok(list.stdout.includes(`"${tool}"`), list.stdout);

    const call = await inspect(era, withToken(), "--method", "tools/call", "--tool-name", "whoami");
    assert.equal(call.code, 0, `${call.stdout}\n${call.stderr}`);
    assert.ok(call.stdout.includes(appliance.username), call.stdout);
  });
}

test("Inspector signs in through the browser flow without a token", async () => {
  const browser = await scriptedBrowser(join(home.path, "bin"), new Person(appliance));
  const callback = `http://127.0.0.1:${await freePort()}/oauth/callback`;
  const env = { ...browser.env, MCP_OAUTH_CALLBACK_URL: callback, MCP_AUTO_OPEN_ENABLED: "true" };
  const call = await inspect("auto", { env }, "--method", "tools/call", "--tool-name", "whoami");
  const decided = await Promise.all(browser.opened);
  assert.equal(call.code, 0, `${decided.join(" ")}\n${call.stdout}\n${call.stderr}`);
  assert.ok(call.stdout.includes(appliance.username), call.stdout);
  assert.equal(browser.opened.length, 1, "the browser was opened once");
  browser.close();
});

test("Inspector finds no portability problem in the tools' schemas", async () => {
  const list = await inspect("modern", withToken(), "--method", "tools/list", "--strict");
  assert.equal(list.code, 0, `${list.stdout}\n${list.stderr}`);
});
