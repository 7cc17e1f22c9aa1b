// Does the 1.x TypeScript SDK get through, from nothing to a tool call and to the end of its grant?

import { strict as assert } from "node:assert";
import { after, before, test } from "node:test";
import { Agent, bare, said } from "./support/agent.js";
import { startFixture } from "./support/appliance.js";
import { fullFlow, signIn } from "./support/full_flow.js";
import { Person } from "./support/person.js";
import { sdkV1 } from "./support/sdk_v1.js";

let appliance;
before(async () => {
  appliance = await startFixture();
});
after(() => appliance?.stop());

test("sdk 1.x: discovers, registers, signs in, calls, refreshes, and is refused once revoked", async () => {
  const agent = new Agent({ name: "Interop SDK 1.x" });
  await fullFlow({ appliance, person: new Person(appliance), agent, sdk: sdkV1(appliance.mcpUrl) });
});

test("sdk 1.x: a confidential client registers and signs in with its secret", async () => {
  for (const method of ["client_secret_basic", "client_secret_post"]) {
    const agent = new Agent({ name: `Interop ${method}`, token_endpoint_auth_method: method });
    const person = new Person(appliance);
    const client = await signIn({ appliance, person, agent, sdk: sdkV1(appliance.mcpUrl) });
    assert.ok(agent.client.client_secret, "a secret was issued");
    assert.equal(agent.client.token_endpoint_auth_method, method);
    await client.close();
  }
});

test("sdk 1.x: a person who says no sends access_denied with state and iss to the client", async () => {
  const agent = new Agent({ name: "Interop denied" });
  const sdk = sdkV1(appliance.mcpUrl);
  await assert.rejects(sdk.connect(agent), sdk.signedOut);
  const callback = await new Person(appliance).decide(agent.authorizationUrl, "deny");
  assert.equal(callback.searchParams.get("error"), "access_denied");
  assert.equal(callback.searchParams.get("iss"), appliance.url);
  assert.equal(callback.searchParams.get("state"), agent.authorizationUrl.searchParams.get("state"));
  assert.equal(callback.searchParams.get("code"), null);
});

test("sdk 1.x: the consent page names the client, the redirect host and the user", async () => {
  const agent = new Agent({ name: "Interop consent reader", redirect: "http://localhost:53699/callback" });
  const person = new Person(appliance);
  await signIn({ appliance, person, agent, sdk: sdkV1(appliance.mcpUrl) }).then((client) => client.close());
  for (const part of ["Interop consent reader", "localhost", appliance.username]) {
    assert.ok(person.consent.includes(part), `"${part}" is not on the consent page:\n${person.consent}`);
  }
});

test("sdk 1.x: an unknown tool is a JSON-RPC error, not a result", async () => {
  const client = await sdkV1(appliance.mcpUrl).connectWithToken(appliance.personalToken);
  await assert.rejects(client.callTool({ name: "no_such_tool", arguments: {} }), /-32602|unknown|no such/i);
  await client.close();
});

test("sdk 1.x: a client ends the personal token that it uses, by name said twice", async () => {
  const own = await startFixture();
  try {
    const client = await sdkV1(own.mcpUrl).connectWithToken(own.personalToken);
    const { structuredContent } = await client.callTool({ name: "list_my_tokens", arguments: {} });
    const [{ id, name }] = structuredContent.tokens;
    const slip = await client.callTool({ name: "revoke_my_token", arguments: { id, confirm_name: `${name}x` } });
    assert.equal(slip.isError, true, "the wrong name revokes nothing");
    assert.equal((await bare(own.mcpUrl, own.personalToken)).status, 200);
    const done = await client.callTool({ name: "revoke_my_token", arguments: { id, confirm_name: name } });
    assert.notEqual(done.isError, true, said(done));
    const refused = await bare(own.mcpUrl, own.personalToken);
    assert.equal(refused.status, 401);
    assert.match(refused.challenge, /error="invalid_token"/);
    await client.close();
  } finally {
    await own.stop();
  }
});
