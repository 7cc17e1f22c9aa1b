// Do real clients get through Keyward to an HTTP server of the Python SDK?

import { strict as assert } from "node:assert";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { said } from "./support/agent.js";
import { startFixture } from "./support/appliance.js";
import { ANSWER, CALLERS } from "./support/callers.js";
import { cancellation, longStream } from "./support/fixture_journeys.js";
import { assertPython, python } from "./support/python.js";
import { startUpstream } from "./support/upstream.js";

let upstream;
let appliance;
before(async () => {
  assertPython();
  upstream = await startUpstream(python, [fileURLToPath(new URL("python/server.py", import.meta.url))]);
  appliance = await startFixture({ config: `[servers.python]\nurl = "${upstream.url}"\n` });
});
after(async () => {
  await appliance?.stop();
  await upstream?.stop();
});

for (const [name, connect] of CALLERS) {
  test(`${name}: lists, calls, long stream, elicitation and cancellation at a server of the Python SDK`, async () => {
    const caller = await connect({ url: `${appliance.url}/mcp/python`, token: appliance.personalToken });
    const { tools } = await caller.client.listTools();
    assert.deepEqual(tools.map((tool) => tool.name).sort(), ["add", "count_abandoned", "count_slowly", "introduce"]);
    assert.match(said(await caller.call("add", { a: 40, b: 2 })), /42/);
    const { contents } = await caller.client.readResource({ uri: "note://one" });
    assert.equal(contents[0].text, "Note one");
    await longStream(caller);
    assert.ok(said(await caller.call("introduce")).includes(`Hello, ${ANSWER.username}`));
    await cancellation(caller);
    await caller.client.close();
  });
}
