// Does an MCP server over HTTP work behind Keyward as it does alone: for the conformance suite, and for real clients?
//
// `gateway_differences.json` lists the checks of the suite that may end otherwise through Keyward, with the reason.

import { strict as assert } from "node:assert";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Agent, bare, said } from "./support/agent.js";
import { scratchFolder, startFixture } from "./support/appliance.js";
import { bearerProxy } from "./support/bearer_proxy.js";
import { CALLERS } from "./support/callers.js";
import { assertAlike, failing } from "./support/check_by_check.js";
import { serverChecks } from "./support/conformance_suite.js";
import { everyJourney, rootsAsked } from "./support/fixture_journeys.js";
import { signIn } from "./support/full_flow.js";
import { Person } from "./support/person.js";
import { sdkV1 } from "./support/sdk_v1.js";
import { fixtureServer, startUpstream } from "./support/upstream.js";

const { http: differences } = JSON.parse(await readFile(new URL("gateway_differences.json", import.meta.url), "utf8"));

let upstream;
let appliance;
let folder;
let at;
before(async () => {
  upstream = await startUpstream(process.execPath, [fixtureServer, "http"]);
  appliance = await startFixture({ config: `[servers.everything]\nurl = "${upstream.url}"\n` });
  folder = await scratchFolder("gateway-http");
  at = { url: `${appliance.url}/mcp/everything`, token: appliance.personalToken };
});
after(async () => {
  await appliance?.stop();
  await upstream?.stop();
  await folder?.remove();
});

describe("conformance, check by check", () => {
  for (const [revision, expected] of Object.entries(differences)) {
    test(`the fixture server says of ${revision} the same alone and behind Keyward`, async (context) => {
      const proxy = await bearerProxy({ target: at.url, token: at.token });
      try {
        const alone = upstream.url.replace("127.0.0.1", "localhost");
        const [direct, through] = await Promise.all([
          serverChecks({ url: alone, revision, output: join(folder.path, `${revision}-direct`) }),
          serverChecks({ url: proxy.url, revision, output: join(folder.path, `${revision}-through`) }),
        ]);
        assert.deepEqual(failing(direct.checks), [], `the fixture server itself\n${direct.printed}`);
        const { alike, different } = assertAlike(direct.checks, through.checks, expected);
        context.diagnostic(`${alike} checks alike, ${different} different for a reason`);
      } finally {
        proxy.close();
      }
    });
  }
});

for (const [name, connect] of CALLERS) {
  test(`${name}: lists, calls, long stream, cancellation, elicitation and sampling`, async () => {
    await everyJourney(await connect(at), rootsAsked);
  });
}

test("sdk 1.x: signs in for this server alone", async () => {
  const agent = new Agent({ name: "Interop gateway" });
  const guarded = { ...appliance, mcpUrl: at.url };
  const client = await signIn({ appliance: guarded, person: new Person(appliance), agent, sdk: sdkV1(at.url) });
  assert.ok(agent.requests.includes("GET /.well-known/oauth-protected-resource/mcp/everything"), agent.requests.join("\n"));
  assert.match(said(await client.callTool({ name: "test_simple_text", arguments: {} })), /simple text response/);
  assert.equal((await bare(appliance.mcpUrl, agent.stored.access_token)).status, 401, "the built-in server refuses its token");
  await client.close();
});
