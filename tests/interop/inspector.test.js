// Does the Inspector's command line list and call tools with a personal token, in each era?

import { strict as assert } from "node:assert";
import { after, before, test } from "node:test";
import { BUILT_IN_TOOLS } from "./support/agent.js";
import { scratchFolder, startFixture } from "./support/appliance.js";
import { installed, runToEnd } from "./support/command.js";

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

async function inspect(era, token, ...method) {
  const launcher = installed("@modelcontextprotocol/inspector/clients/launcher/build/index.js");
  const header = ["--header", `Authorization: Bearer ${token}`];
  const args = [launcher, "--cli", appliance.mcpUrl, "--transport", "http", ...header, "--protocol-era", era];
  const env = { HOME: home.path, MCP_CATALOG_PATH: `${home.path}/mcp.json` };
  return runToEnd(process.execPath, [...args, "--format", "json", "--quiet", ...method], { env, withinMs: 60_000 });
}

for (const era of ["legacy", "auto", "modern"]) {
  test(`Inspector lists and calls tools with a personal token (${era} era)`, async () => {
    const list = await inspect(era, appliance.personalToken, "--method", "tools/list");
    assert.equal(list.code, 0, `${list.stdout}\n${list.stderr}`);
    for (const tool of BUILT_IN_TOOLS) assert.ok(list.stdout.includes(`"${tool}"`), list.stdout);

    const call = await inspect(era, appliance.personalToken, "--method", "tools/call", "--tool-name", "whoami");
    assert.equal(call.code, 0, `${call.stdout}\n${call.stderr}`);
    assert.ok(call.stdout.includes(appliance.username), call.stdout);
  });
}

test("Inspector finds no portability problem in the tools' schemas", async () => {
  const list = await inspect("modern", appliance.personalToken, "--method", "tools/list", "--strict");
  assert.equal(list.code, 0, `${list.stdout}\n${list.stderr}`);
});
