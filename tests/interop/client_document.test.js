// Do clients get through that name themselves by the URL of a client ID metadata document, without registering?
//
// The documents come from an HTTPS server on loopback with an authority of its own: Keyward may fetch from loopback
// because it stands there itself. A well-known client's document needs no fetch at all when the network gives none.

import { strict as assert } from "node:assert";
import { once } from "node:events";
import { createServer } from "node:https";
import { after, before, test } from "node:test";
import { Agent } from "./support/agent.js";
import { scratchFolder, startFixture } from "./support/appliance.js";
import { loopbackCertificate } from "./support/certificate.js";
import { fullFlow, signIn } from "./support/full_flow.js";
import { Person } from "./support/person.js";
import { sdkV1 } from "./support/sdk_v1.js";
import { sdkV2 } from "./support/sdk_v2.js";

const MODERN = { pin: "2026-07-28" };

let appliance;
let folder;
let site;

before(async () => {
  folder = await scratchFolder("documents");
  const certificate = await loopbackCertificate(folder.path);
  site = await documentSite(certificate);
  const config = `[oauth.client_documents]\nextra_roots = ${JSON.stringify(certificate.authority)}\n`;
  appliance = await startFixture({ config });
});
after(async () => {
  await appliance?.stop();
  site?.server.close();
  await folder?.remove();
});

/** An HTTPS server whose `publish(path, change)` offers a document and returns its URL. */
async function documentSite({ key, cert }) {
  const documents = new Map();
  const fetched = [];
  const server = createServer({ key, cert }, (request, response) => {
    fetched.push(request.url);
    const { status = 200, headers = {}, body } = documents.get(request.url) ?? { status: 404, body: "" };
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  server.unref();
  const origin = `https://localhost:${server.address().port}`;
  return {
    server,
    fetched,
    publish(path, agent, change = {}, answer = {}) {
      const url = `${origin}${path}`;
      const document = { client_id: url, client_uri: origin, ...agent.clientMetadata, ...change };
      documents.set(path, { body: JSON.stringify(document), ...answer });
      agent.clientMetadataUrl = url;
      return url;
    },
  };
}

for (const [title, sdk] of [
  ["sdk 1.x", () => sdkV1(appliance.mcpUrl)],
  ["sdk 2.x", () => sdkV2(appliance.mcpUrl, MODERN)],
]) {
  test(`${title}: a client with a metadata document walks the whole way and never registers`, async () => {
    const agent = new Agent({ name: `Interop document ${title}` });
    const url = site.publish(`/${title.replaceAll(" ", "-")}/client.json`, agent);
    const person = new Person(appliance);
    await fullFlow({ appliance, person, agent, sdk: sdk(), expectRegistration: false });
    assert.equal(agent.client?.client_id ?? url, url);
    assert.match(person.consent, /vouched for by localhost/, "the consent page names the host that vouches");
    assert.ok(site.fetched.includes(new URL(url).pathname));
  });
}

test("a document that lists loopback redirects without a port serves a client on any port", async () => {
  const agent = new Agent({ name: "Interop any port", redirect: "http://127.0.0.1:61999/callback" });
  site.publish("/any-port.json", agent, { redirect_uris: ["http://127.0.0.1/callback"] });
  const client = await signIn({ appliance, person: new Person(appliance), agent, sdk: sdkV2(appliance.mcpUrl, MODERN) });
  await client.close();
});

for (const [title, change, answer] of [
  ["names another client_id", { client_id: "https://example.com/client.json" }],
  ["lists another redirect", { redirect_uris: ["http://127.0.0.1/elsewhere"] }],
  ["lists no redirect at all", { redirect_uris: [] }],
  ["wants a shared secret", { token_endpoint_auth_method: "client_secret_basic" }],
  ["is larger than any honest document", { padding: "x".repeat(64 * 1024) }],
  ["is not JSON", {}, { headers: { "content-type": "text/html" }, body: "<p>hello</p>" }],
  ["redirects elsewhere", {}, { status: 302, headers: { location: "/any-port.json" } }],
  ["cannot be found", {}, { status: 404 }],
]) {
  test(`a document that ${title} ends on a page and sends nobody to the client`, async () => {
    const agent = new Agent({ name: "Interop bad document" });
    site.publish(`/bad/${title.replaceAll(" ", "-")}.json`, agent, change, answer);
    const sdk = sdkV2(appliance.mcpUrl, MODERN);
    await assert.rejects(sdk.connect(agent), sdk.signedOut);
    await assert.rejects(new Person(appliance).decide(agent.authorizationUrl), /stuck at .* \(4\d\d\)/);
  });
}

test("Claude Code's own id works where its document cannot be fetched, with the port that it opened", async () => {
  const agent = new Agent({ name: "Claude Code", redirect: "http://localhost:61998/callback" });
  agent.clientMetadataUrl = "https://claude.ai/oauth/claude-code-client-metadata";
  const person = new Person(appliance);
  const client = await signIn({ appliance, person, agent, sdk: sdkV2(appliance.mcpUrl, "auto") });
  assert.ok(!agent.requests.includes("POST /register"), agent.requests.join("\n"));
  assert.ok(person.consent.includes("claude.ai"), person.consent);
  await client.listTools();
  await client.close();
});
