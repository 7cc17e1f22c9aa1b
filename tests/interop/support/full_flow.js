// The whole journey of an MCP client through an SDK, once for both of its generations.
//
// 401 → discovery → registration → login and consent → code → token → tools → refresh → revocation → refused.

import { strict as assert } from "node:assert";
import { BUILT_IN_TOOLS, bare, said, spoiled } from "./agent.js";

/**
 * Walks `agent` through the journey.
 *
 * `sdk` has `connect(agent)` → client, `signedOut` (the SDK's error class for "sign in first"), and
 * `finish(agent, parameters)` which redeems the code.
 */
export async function fullFlow({ appliance, person, agent, sdk, expectRegistration = true }) {
  const client = await signIn({ appliance, person, agent, sdk });
  const path = (name) => new URL(name, appliance.url).pathname;

  assert.ok(agent.requests.includes("GET /.well-known/oauth-protected-resource/mcp"), agent.requests.join("\n"));
  assert.ok(agent.requests.includes("GET /.well-known/oauth-authorization-server"), agent.requests.join("\n"));
  assert.equal(agent.requests.includes(`POST ${path("/register")}`), expectRegistration, agent.requests.join("\n"));

  await lists(client);
  const whoami = () => client.callTool({ name: "whoami", arguments: {} });
  const me = said(await whoami());
  assert.ok(me.includes(appliance.username), me);
  assert.ok(me.includes(agent.clientMetadata.client_name), me);

  const first = agent.stored;
  agent.stored = { ...first, access_token: spoiled(first.access_token) };
  assert.equal(said(await whoami()).includes(appliance.username), true);
  assert.equal(agent.history.length, 2, "the SDK refreshed once");
  assert.notEqual(agent.stored.access_token, first.access_token, "a new access token");
  assert.notEqual(agent.stored.refresh_token, first.refresh_token, "the refresh token was rotated");
  assert.equal((await bare(appliance.mcpUrl, first.access_token)).status, 200, "the earlier one lives on until it expires");

  await revoke({ appliance, agent, token: agent.stored.refresh_token });
  const latest = agent.stored.access_token;
  for (const token of [first.access_token, latest]) {
    const refused = await bare(appliance.mcpUrl, token);
    assert.equal(refused.status, 401, refused.body);
    assert.match(refused.challenge, /error="invalid_token"/);
    assert.match(refused.challenge, /resource_metadata="/);
  }
  agent.authorizationUrl = undefined;
  await assert.rejects(whoami(), sdk.signedOut, "the SDK asks the person again");
  assert.ok(agent.authorizationUrl, "with a new authorization request");
  await client.close();
}

/** From no tokens at all to a connected client. */
export async function signIn({ appliance, person, agent, sdk }) {
  await assert.rejects(sdk.connect(agent), sdk.signedOut, "no token, no entry");
  assert.ok(agent.authorizationUrl, "the SDK found the authorization endpoint by itself");
  const callback = await person.decide(agent.authorizationUrl);
  await sdk.finish(agent, agent.accept(callback, { issuer: appliance.url }));
  assert.ok(agent.stored?.access_token, "an access token");
  assert.ok(agent.stored?.refresh_token, "a refresh token");
  return sdk.connect(agent);
}

async function lists(client) {
  const { tools } = await client.listTools();
  assert.deepEqual(tools.map((tool) => tool.name).sort(), BUILT_IN_TOOLS);
}

/** RFC 7009, at the endpoint that the metadata names. */
export async function revoke({ appliance, agent, token }) {
  const metadata = await (await fetch(`${appliance.url}/.well-known/oauth-authorization-server`)).json();
  const response = await fetch(metadata.revocation_endpoint, {
    method: "POST",
    signal: AbortSignal.timeout(10_000),
    body: new URLSearchParams({ token, client_id: agent.client.client_id }),
  });
  assert.equal(response.status, 200, await response.text());
}
