// Can a guarded server check who calls with what Keyward publishes and a library of others, and is that good for nothing else?

import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Agent, bare, spoiled } from "./support/agent.js";
import { startFixture } from "./support/appliance.js";
import { signIn } from "./support/full_flow.js";
import { startHeadersServer } from "./support/headers_server.js";
import { Person } from "./support/person.js";
import { assertPython, python } from "./support/python.js";
import { sdkV2 } from "./support/sdk_v2.js";

const CHECK = fileURLToPath(new URL("python/assertion.py", import.meta.url));
const ASSERTION = "x-keyward-assertion";

let appliance, tools, others;
before(async () => {
  assertPython();
  [tools, others] = [await startHeadersServer(), await startHeadersServer()];
  const config = [
    `[servers.tools]\nurl = "${tools.url}"\nassertion = true`,
    `[servers.others]\nurl = "${others.url}"\nassertion = true`,
    `[servers.plain]\nurl = "${tools.url}"`,
    `[servers.behind]\nproxied_url = "https://tools.example.org/mcp"`,
  ];
  appliance = await startFixture({ config: `${config.join("\n")}\n` });
});
after(async () => {
  await appliance?.stop();
  tools?.close();
  others?.close();
});

/** What PyJWT says of an assertion, at a server whose clock is `ahead` seconds ahead. */
async function checked(assertion, { audience = tools.url, ahead = 0 } = {}) {
  const child = spawn(python, [CHECK, appliance.url, audience, `${ahead}`], { stdio: ["pipe", "pipe", "inherit"], timeout: 20_000 });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (part) => (said += part));
  const code = new Promise((done) => child.once("close", done));
  child.stdin.end(assertion);
  assert.equal(await code, 0);
  return JSON.parse(said);
}

const shownTo = (server) => server.last().find(([name]) => name.toLowerCase() === ASSERTION)?.[1];
const at = (name) => ({ ...appliance, mcpUrl: `${appliance.url}/mcp/${name}` });

test("it says who calls, through which client, with which rights, for a minute", async () => {
  const agent = new Agent({ name: "Interop assertion" });
  const sdk = sdkV2(at("tools").mcpUrl, "legacy");
  const client = await signIn({ appliance: at("tools"), person: new Person(appliance), agent, sdk });
  await client.callTool({ name: "headers", arguments: {} });
  const { header, claims } = await checked(shownTo(tools));
  assert.deepEqual([header.alg, header.typ], ["EdDSA", "assertion+jwt"]);
  assert.equal(claims.iss, appliance.url);
  assert.equal(claims.aud, tools.url);
  assert.match(claims.sub, /^usr_/);
  assert.deepEqual(
    [claims.username, claims.client_id, claims.scope, claims.server],
    [appliance.username, agent.client.client_id, "mcp", "tools"],
  );
  assert.equal(claims.exp - claims.iat, 60);
  await client.close();
});

test("it holds for its server and its minute only, and nobody changes it", async () => {
  assert.equal((await bare(at("tools").mcpUrl, appliance.personalToken)).status, 200);
  const assertion = shownTo(tools);
  const { claims } = await checked(assertion);
  assert.equal(claims.client_id, undefined, "a personal token is nobody's client");
  assert.deepEqual(await checked(assertion, { audience: others.url }), { refused: "InvalidAudienceError" });
  assert.deepEqual(await checked(assertion, { audience: at("tools").mcpUrl }), { refused: "InvalidAudienceError" });
  assert.deepEqual(await checked(assertion, { ahead: 61 }), { refused: "ExpiredSignatureError" });
  assert.deepEqual(await checked(spoiled(assertion)), { refused: "InvalidSignatureError" });

  assert.equal((await bare(at("others").mcpUrl, appliance.personalToken)).status, 200);
  assert.notEqual(shownTo(others), assertion);
  assert.deepEqual(await checked(shownTo(others)), { refused: "InvalidAudienceError" });
  assert.ok((await checked(shownTo(others), { audience: others.url })).claims);

  assert.equal((await bare(at("plain").mcpUrl, appliance.personalToken)).status, 200);
  assert.equal(shownTo(tools), undefined, "a server that did not ask for it");
});

test("Keyward takes it for nothing", async () => {
  assert.equal((await bare(at("tools").mcpUrl, appliance.personalToken)).status, 200);
  const assertion = shownTo(tools);
  const before = [tools.calls(), others.calls()];
  for (const path of ["/mcp", "/mcp/tools", "/mcp/others", "/mcp/plain", "/verify/behind"]) {
    const refused = await bare(`${appliance.url}${path}`, assertion);
    assert.equal(refused.status, 401, path);
    assert.match(refused.challenge, /error="invalid_token"/, path);
  }
  assert.deepEqual([tools.calls(), others.calls()], before, "nothing reached a server");

  const registered = await fetch(`${appliance.url}/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ client_name: "Interop", redirect_uris: ["http://127.0.0.1:53682/callback"] }),
  });
  const { client_id: id, client_secret: secret } = await registered.json();
  const client = { client_id: id, ...(secret === undefined ? {} : { client_secret: secret }) };
  const post = async (path, fields, headers = {}) => {
    const options = { method: "POST", headers, redirect: "manual", signal: AbortSignal.timeout(10_000) };
    const response = await fetch(`${appliance.url}${path}`, { ...options, body: new URLSearchParams(fields) });
    return { status: response.status, body: await response.text() };
  };
  for (const [fields, error] of [
    [{ ...client, grant_type: "refresh_token", refresh_token: assertion }, "invalid_grant"],
    [{ ...client, grant_type: "authorization_code", code: assertion, redirect_uri: "http://127.0.0.1:53682/callback", code_verifier: "a".repeat(43) }, "invalid_grant"],
    [{ ...client, grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion }, "unsupported_grant_type"],
    [
      {
        client_id: id,
        grant_type: "refresh_token",
        refresh_token: assertion,
        client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        client_assertion: assertion,
      },
      "invalid_client",
    ],
  ]) {
    const refused = await post("/token", fields);
    assert.ok(refused.status >= 400 && JSON.parse(refused.body).error === error, refused.body);
  }
  const told = await post("/introspect", { ...client, token: assertion });
  assert.ok(told.status >= 400 || JSON.parse(told.body).active === false, told.body);
  await post("/revoke", { ...client, token: assertion });
  assert.equal((await bare(at("tools").mcpUrl, appliance.personalToken)).status, 200, "and it revokes nothing");
  for (const cookie of ["keyward-session", "keyward-half-session", "keyward-known"]) {
    const options = { headers: { cookie: `${cookie}=${assertion}`, accept: "text/html" }, redirect: "manual" };
    const response = await fetch(`${appliance.url}/dashboard`, options);
    assert.ok([302, 303].includes(response.status), `${response.status}`);
    assert.match(response.headers.get("location"), /\/login/);
  }
});
