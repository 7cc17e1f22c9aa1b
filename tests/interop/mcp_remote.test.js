// Does mcp-remote bridge a client that only speaks stdio, signed in through its browser flow or with a header?
//
// mcp-remote opens a browser. Here the browser is a script that hands the URL to the test, whose person decides.

import { strict as assert } from "node:assert";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { BUILT_IN_TOOLS, said } from "./support/agent.js";
import { scratchFolder, startFixture } from "./support/appliance.js";
import { installed } from "./support/command.js";
import { Person } from "./support/person.js";
import { scriptedBrowser } from "./support/scripted_browser.js";

let appliance;
let folder;
before(async () => {
  appliance = await startFixture();
  folder = await scratchFolder("mcp-remote");
});
after(async () => {
  await appliance?.stop();
  await folder?.remove();
});

/** A stdio client on the near side of mcp-remote. */
async function throughBridge(name, args, browser) {
  const home = join(folder.path, name, "home");
  await mkdir(home, { recursive: true });
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [installed("mcp-remote/dist/proxy.js"), appliance.mcpUrl, ...args],
    env: {
      HOME: home,
      MCP_REMOTE_CONFIG_DIR: join(home, "mcp-auth"),
      PATH: process.env.PATH,
      ...browser?.env,
    },
    stderr: "pipe",
  });
  let log = "";
  transport.stderr.setEncoding("utf8").on("data", (chunk) => (log += chunk));
  const client = new Client({ name: "keyward-interop-stdio", version: "1.0.0" });
  try {
    await client.connect(transport, { timeout: 60_000 });
  } catch (error) {
    await client.close();
    const decided = await Promise.all(browser?.opened ?? []);
    throw new Error(`${error.message}\n--- the person ---\n${decided.join("\n")}\n--- mcp-remote ---\n${log}`);
  }
  return client;
}

async function worksFor(client, name) {
  const { tools } = await client.listTools();
  assert.deepEqual(tools.map((tool) => tool.name).sort(), BUILT_IN_TOOLS);
  const whoami = said(await client.callTool({ name: "whoami", arguments: {} }));
  assert.ok(whoami.includes(name), whoami);
  await client.close();
}

for (const protocol of ["legacy", "auto"]) {
  test(`mcp-remote signs in through the browser and bridges tools (--protocol ${protocol})`, async () => {
    const browser = await scriptedBrowser(join(folder.path, `bin-${protocol}`), new Person(appliance));
    const client = await throughBridge(`browser-${protocol}`, ["--protocol", protocol], browser);
    await worksFor(client, appliance.username);
    assert.equal(browser.opened.length, 1, "the browser was opened once");

    const again = await throughBridge(`browser-${protocol}`, ["--protocol", protocol], browser);
    await worksFor(again, appliance.username);
    assert.equal(browser.opened.length, 1, "the second start used the stored tokens");
    browser.close();
  });
}

test("mcp-remote bridges tools with a personal token in --header", async () => {
  const client = await throughBridge("header", ["--header", `Authorization: Bearer ${appliance.personalToken}`]);
  await worksFor(client, appliance.username);
});
