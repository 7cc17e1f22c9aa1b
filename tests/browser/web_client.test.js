// Does a client that is itself a web page, on another origin, get through? The Inspector's page is one.
//
// Everything it does is a cross-origin fetch: discovery, registration, the token request, and MCP calls with headers
// that need a preflight. It must be able to read the challenge of a 401.

import { strict as assert } from "node:assert";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { heading, signIn, withPerson } from "./support/chromium.js";
import { fixtureAndBrowser } from "./support/houses.js";

const { appliance, browser } = await fixtureAndBrowser();
let site;
let origin;
before(async () => {
  site = createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end('<!doctype html><title>Client</title><link rel="icon" href="data:,"><h1>A client in a page</h1>');
  });
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
  site.unref();
  origin = `http://localhost:${site.address().port}`;
});
after(() => site?.close());

/** A fetch by the page in the tab; what the page may see of the answer. */
function pageFetch(page, url, init) {
  return page.evaluate(
    async ([address, options]) => {
      const response = await fetch(address, options);
      const text = await response.text();
      const challenge = response.headers.get("www-authenticate");
      return { status: response.status, challenge, text, json: text.startsWith("{") ? JSON.parse(text) : undefined };
    },
    [url, init],
  );
}

function call(method, params, token) {
  const meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": { name: "page", version: "1" },
  };
  return {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": method,
      ...(params.name === undefined ? {} : { "mcp-name": params.name }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: meta } }),
  };
}

test("a page on another origin discovers, registers, signs in and calls", () =>
  withPerson(browser, {}, async ({ page, forgive }) => {
    forgive(/status of 401/);
    await page.goto(origin);
    const refused = await pageFetch(page, appliance.mcpUrl, call("tools/list", {}));
    assert.equal(refused.status, 401);
    const [, resourceMetadata] = refused.challenge.match(/resource_metadata="([^"]+)"/);
    const { json: resource } = await pageFetch(page, resourceMetadata);
    const [issuer] = resource.authorization_servers;
    const { json: server } = await pageFetch(page, `${issuer}/.well-known/oauth-authorization-server`, {
      headers: { "mcp-protocol-version": "2026-07-28" },
    });
    const redirect = `${origin}/callback`;
    const registered = await pageFetch(page, server.registration_endpoint, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ client_name: "A page", redirect_uris: [redirect], token_endpoint_auth_method: "none" }),
    });
    assert.equal(registered.status, 201, registered.text);

    const verifier = randomBytes(32).toString("base64url");
    const shared = { client_id: registered.json.client_id, redirect_uri: redirect, resource: resource.resource };
    const request = {
      ...shared,
      response_type: "code",
      code_challenge: createHash("sha256").update(verifier).digest("base64url"),
      code_challenge_method: "S256",
      state: "a page's state",
    };
    await page.goto(`${server.authorization_endpoint}?${new URLSearchParams(request)}`);
    await signIn(page, appliance);
    await heading(page, /^Allow /);
    await page.getByRole("button", { name: "Allow", exact: true }).click();
    await heading(page, "A client in a page");
    const answer = new URL(page.url()).searchParams;
    assert.equal(answer.get("state"), request.state);

    const exchange = { ...shared, grant_type: "authorization_code", code: answer.get("code"), code_verifier: verifier };
    const tokens = await pageFetch(page, server.token_endpoint, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams(exchange).toString(),
    });
    assert.equal(tokens.status, 200, tokens.text);
    const whoami = call("tools/call", { name: "whoami", arguments: {} }, tokens.json.access_token);
    const said = await pageFetch(page, appliance.mcpUrl, whoami);
    assert.equal(said.status, 200, said.text);
    assert.ok(said.text.includes(appliance.username), said.text);
  }));
