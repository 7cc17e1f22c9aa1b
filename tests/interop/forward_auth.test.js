// Do real clients get through Debian's Caddy and nginx to a server that knows no sign-in, with the settings of the README?

import { strict as assert } from "node:assert";
import { after, before, describe, test } from "node:test";
import { Agent, bare, spoiled } from "./support/agent.js";
import { freePort, startFixture } from "./support/appliance.js";
import { revoke, signIn } from "./support/full_flow.js";
import { startCaddy, startNginx } from "./support/owners_proxy.js";
import { Person } from "./support/person.js";
import { sdkV1 } from "./support/sdk_v1.js";
import { sdkV2 } from "./support/sdk_v2.js";
import { startToolsServer } from "./support/tools_server.js";

const IDENTITY = ["x-keyward-user", "x-keyward-user-id", "x-keyward-client", "x-keyward-scopes"];

for (const [name, startProxy] of [["Caddy", startCaddy], ["nginx", startNginx]]) {
  describe(`${name} asks about each request`, () => {
    let appliance, tools, proxy;
    before(async () => {
      const port = await freePort();
      const config = `trusted_proxies = ["127.0.0.1"]\n[servers.tools]\nproxied_url = "http://127.0.0.1:${port}/mcp"\n`;
      appliance = await startFixture({ config });
      tools = await startToolsServer();
      proxy = await startProxy({ port, keyward: new URL(appliance.url).host, upstream: tools.address });
    });
    after(async () => {
      await proxy?.stop();
      tools?.close();
      await appliance?.stop();
    });

    const headersOf = async (client) => {
      const { content } = await client.callTool({ name: "headers", arguments: {} });
      return JSON.parse(content[0].text);
    };

    for (const [generation, sdkOf] of [["1.x", sdkV1], ["2.x", (url) => sdkV2(url, "legacy")]]) {
      test(`sdk ${generation}: signs in by itself, calls, refreshes, and is refused once revoked`, async () => {
        const agent = new Agent({ name: `Interop behind ${name}` });
        const sdk = sdkOf(proxy.url);
        const client = await signIn({ appliance, person: new Person(appliance), agent, sdk });
        const seen = await headersOf(client);
        assert.equal(seen["x-keyward-user"], appliance.username);
        assert.match(seen["x-keyward-user-id"], /^usr_/);
        assert.equal(seen["x-keyward-client"], agent.client.client_id);
        assert.equal(seen["x-keyward-scopes"], "mcp");
        assert.equal(seen.authorization, undefined, "the token goes no further");

        agent.stored = { ...agent.stored, access_token: spoiled(agent.stored.access_token) };
        assert.equal((await headersOf(client))["x-keyward-user"], appliance.username);
        assert.equal(agent.history.length, 2, "the SDK refreshed once");

        const { access_token: token, refresh_token: refreshToken } = agent.stored;
        assert.equal((await bare(appliance.mcpUrl, token)).status, 401, "it opens no other server");
        await revoke({ appliance, agent, token: refreshToken });
        const before = tools.calls();
        const refused = await bare(proxy.url, token);
        assert.equal(refused.status, 401, refused.body);
        assert.match(refused.challenge, /error="invalid_token".*resource_metadata="/);
        assert.equal(tools.calls(), before, "nothing reached the server");
        await client.close();
      });
    }

    test("what a client claims about itself does not reach the server", async () => {
      const response = await fetch(proxy.url, {
        method: "POST",
        signal: AbortSignal.timeout(10_000),
        headers: {
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          authorization: `Bearer ${appliance.personalToken}`,
          ...Object.fromEntries(IDENTITY.map((header) => [header, "root"])),
        },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "headers", arguments: {} } }),
      });
      const text = await response.text();
      assert.equal(response.status, 200, text);
      assert.ok(text.includes("x-keyward-user") && text.includes(appliance.username), text);
      assert.ok(!text.includes("root"), text);
      assert.ok(!text.includes(appliance.personalToken), text);
    });

    test("whoever has no good token gets no further, whatever they send", async () => {
      const before = tools.calls();
      const good = `Bearer ${appliance.personalToken}`;
      for (const [method, headers, status] of [
        ["POST", {}, 401],
        ["GET", {}, 401],
        ["DELETE", {}, 401],
        ["OPTIONS", { origin: "http://localhost:6274", "access-control-request-method": "POST" }, 401],
        ["POST", { "x-keyward-user": "root", "x-keyward-user-id": "usr_1" }, 401],
        ["POST", { authorization: "Bearer garbage" }, 401],
        ["POST", { authorization: "Bearer " }, 401],
        ["POST", { authorization: `${good}, ${good}` }, 401],
        ["POST", { "x-forwarded-uri": "/verify/keyward", "x-forwarded-method": "OPTIONS" }, 401],
        ["POST", { authorization: good, origin: "https://evil.example.com" }, 403],
      ]) {
        const body = method === "POST" ? "{}" : undefined;
        const response = await fetch(proxy.url, { method, headers, body, signal: AbortSignal.timeout(10_000) });
        const challenge = response.headers.get("www-authenticate") ?? "";
        assert.equal(response.status, status, `${method} ${JSON.stringify(headers)}: ${await response.text()}`);
        assert.equal(challenge.includes("/.well-known/oauth-protected-resource/verify/tools"), status === 401, challenge);
      }
      assert.equal(tools.calls(), before, "nothing reached the server");
    });

    test("the document is also where the server's own URL leads", async () => {
      const { origin } = new URL(proxy.url);
      for (const path of ["/mcp", ""]) {
        const response = await fetch(`${origin}/.well-known/oauth-protected-resource${path}`);
        assert.equal(response.status, 200, path);
        const document = await response.json();
        assert.equal(document.resource, proxy.url);
        assert.deepEqual(document.authorization_servers, [appliance.url]);
      }
    });

    test("a token that opens too little is told what it lacks", async () => {
      const shown = await new Person(appliance).fillIn("/dashboard/api-keys/new?scope=mcp:read", { name: "Reader", expiry: "30" });
      const [token] = shown.text.match(/eyJ[\w-]+\.[\w-]+\.[\w-]+/) ?? assert.fail(shown.text);
      const refused = await bare(proxy.url, token);
      assert.equal(refused.status, 403, refused.body);
      assert.match(refused.challenge, /error="insufficient_scope".*scope="mcp"$/);
    });

    test("nothing passes when Keyward is gone", async () => {
      const before = tools.calls();
      await appliance.stop();
      const refused = await bare(proxy.url, appliance.personalToken);
      assert.ok(refused.status >= 500, `${refused.status}`);
      assert.equal(tools.calls(), before, "nothing reached the server");
      appliance = undefined;
    });
  });
}
