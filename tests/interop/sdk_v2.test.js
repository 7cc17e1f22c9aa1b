// Does the 2.x TypeScript SDK get through, in the modern era and in whichever it finds by itself?

import { strict as assert } from "node:assert";
import { after, before, test } from "node:test";
import { Agent } from "./support/agent.js";
import { startFixture } from "./support/appliance.js";
import { fullFlow } from "./support/full_flow.js";
import { Person } from "./support/person.js";
import { sdkV2 } from "./support/sdk_v2.js";

const MODERN = "2026-07-28";

let appliance;
before(async () => {
  appliance = await startFixture();
});
after(() => appliance?.stop());

for (const [title, mode] of [
  ["pinned to 2026-07-28", { pin: MODERN }],
  ["negotiating by itself", "auto"],
  ["in the legacy era", "legacy"],
]) {
  test(`sdk 2.x ${title}: discovers, registers, signs in, calls, refreshes, and is refused once revoked`, async () => {
    const agent = new Agent({ name: `Interop SDK 2.x ${title}` });
    await fullFlow({ appliance, person: new Person(appliance), agent, sdk: sdkV2(appliance.mcpUrl, mode) });
  });
}

test("sdk 2.x: negotiation with a personal token selects the modern era", async () => {
  const client = await sdkV2(appliance.mcpUrl, "auto").connectWithToken(appliance.personalToken);
  assert.equal(client.getNegotiatedProtocolVersion(), MODERN);
  const { tools } = await client.listTools();
  assert.ok(tools.length > 0);
  await client.close();
});
