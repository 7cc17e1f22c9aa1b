// Do real clients get through Caddy, nginx and Traefik to a server that knows no sign-in, with the settings of the README,
// and does nobody else, whatever they send?

import { strict as assert } from "node:assert";
import { after, before, describe, test } from "node:test";
import { Agent, bare, spoiled } from "./support/agent.js";
import { freePort, startFixture } from "./support/appliance.js";
import { revoke, signIn } from "./support/full_flow.js";
import { startHeadersServer } from "./support/headers_server.js";
import { startCaddy, startNginx, startTraefik } from "./support/owners_proxy.js";
import { Person } from "./support/person.js";
import { rawRequest } from "./support/raw_request.js";
import { sdkV1 } from "./support/sdk_v1.js";
import { sdkV2 } from "./support/sdk_v2.js";

const IDENTITY = ["x-keyward-user", "x-keyward-user-id", "x-keyward-client", "x-keyward-scopes"];
const MESSAGE = { "Content-Type": "application/json", Accept: "application/json, text/event-stream" };
const LIST = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" });

/** What programs take a header's name for that see headers as variables (RFC 3875, 4.1.18). */
const variable = (header) => header.toUpperCase().replace(/[^A-Z0-9]/g, "_");

for (const [name, startProxy] of [["Caddy", startCaddy], ["nginx", startNginx], ["Traefik", startTraefik]]) {
  describe(`${name} asks about each request`, () => {
    let appliance, tools, proxy;
    before(async () => {
      const port = await freePort();
      const config = `trusted_proxies = ["127.0.0.1"]\n[servers.tools]\nproxied_url = "http://127.0.0.1:${port}/mcp"\n`;
      appliance = await startFixture({ config });
      tools = await startHeadersServer();
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

    /** Sends a good token with `further` headers; if that gets to the server, it learns who calls and nothing else. */
    const sendGood = async (further) => {
      const before = tools.calls();
      const headers = [...Object.entries(MESSAGE), ["Authorization", `Bearer ${appliance.personalToken}`], ...further];
      const answer = await rawRequest(proxy.url, { headers, body: LIST });
      if (tools.calls() === before) {
        assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status} ${JSON.stringify(further)}`);
        return answer.status;
      }
      const seen = tools.last().map(([header, value]) => [variable(header), value]);
      const identity = seen.filter(([header]) => header.includes("KEYWARD"));
      const told = Object.fromEntries(identity);
      assert.equal(identity.length, Object.keys(told).length, `each once\n${JSON.stringify(tools.last())}`);
      // nginx sends no header that is empty.
      const { X_KEYWARD_USER: user, X_KEYWARD_USER_ID: id, X_KEYWARD_CLIENT: client = "", X_KEYWARD_SCOPES: scopes, ...more } = told;
      assert.deepEqual({ user, client, scopes, more }, { user: appliance.username, client: "", scopes: "mcp", more: {} });
      assert.match(id, /^usr_/);
      assert.ok(!JSON.stringify(seen).includes(appliance.personalToken), "the token goes no further");
      return answer.status;
    };

    test("no spelling of who somebody claims to be reaches the server", async () => {
      const claimed = [...IDENTITY, "x-keyward-assertion"];
      const spellings = [
        (header) => header.toUpperCase(),
        ...["_", ".", "~", "!"].map((other) => (header) => header.replaceAll("-", other)),
        (header) => header.replace(/-(?=[^-]*$)/, "_"),
        (header) => header.replace("-", "_"),
      ];
      for (const spelling of spellings) {
        assert.equal(await sendGood(claimed.map((header) => [spelling(header), "root"])), 200, spelling("x-keyward-user"));
      }
      for (const header of IDENTITY) assert.equal(await sendGood([[header, "root"], [header, "admin"]]), 200);
    });

    test("nobody has taken away who they are", async () => {
      const all = [...IDENTITY, ...IDENTITY.map((header) => header.toUpperCase())].join(", ");
      for (const value of [all, `keep-alive, ${all}`, `close, ${all}`]) {
        assert.equal(await sendGood([["Connection", value]]), 200, value);
      }
      assert.equal(await sendGood([["Connection", "keep-alive"], ["Connection", all]]), 200);
      for (const header of ["Proxy-Connection", "Keep-Alive", "TE"]) await sendGood([[header, all]]);
      for (const header of ["Authorization", "Host", "X-Forwarded-For"]) await sendGood([["Connection", header]]);
    });

    test("what only some would take for a token is none", async () => {
      const good = `Bearer ${appliance.personalToken}`;
      const before = tools.calls();
      for (const headers of [
        [["Authorization", good], ["Authorization", "Bearer garbage"]],
        [["Authorization", "Bearer garbage"], ["Authorization", good]],
        [["Authorization", good], ["Authorization", good]],
        [["Proxy-Authorization", good]],
        [["X-Authorization", good]],
        [["X-Forwarded-Authorization", good]],
        [["Authorization_", good]],
        [["Cookie", `Authorization=${good}`]],
        [["X-Original-Method", "OPTIONS"], ["X-HTTP-Method-Override", "OPTIONS"]],
        [["X-Forwarded-For", "127.0.0.1"], ["X-Real-IP", "127.0.0.1"], ["Forwarded", "for=127.0.0.1"]],
      ]) {
        const answer = await rawRequest(proxy.url, { headers: [...Object.entries(MESSAGE), ...headers], body: LIST });
        assert.ok([400, 401].includes(answer.status), `${answer.status} ${headers.map(([header]) => header)}`);
      }
      assert.equal(tools.calls(), before, "nothing reached the server");
    });

    test("the way to the document leads nowhere else", async () => {
      const before = tools.calls();
      const document = "/.well-known/oauth-protected-resource";
      for (const path of [
        `${document}/../../mcp`,
        `${document}/..%2f..%2fmcp`,
        `${document}%2f..%2f..%2fmcp`,
        `${document}/%2e%2e/%2e%2e/mcp`,
        `${document}/..;/..;/mcp`,
        `${document}//..//..//mcp`,
        `//mcp`,
        `/mcp;${document}`,
        `/mcp?${document}`,
        `/mcp%23${document}`,
      ]) {
        for (const method of ["GET", "POST"]) {
          const answer = await rawRequest(proxy.url, { method, path, headers: Object.entries(MESSAGE), body: LIST });
          const is = answer.status === 200 ? JSON.parse(answer.body).resource === proxy.url : answer.status >= 400;
          assert.ok(is, `${method} ${path}: ${answer.status} ${answer.body}`);
        }
      }
      assert.equal(tools.calls(), before, "nothing reached the server");
    });

    test("a caller's address is the one that the proxy sees", async () => {
      const person = new Person(appliance);
      const shown = await person.fillIn("/dashboard/api-keys/new", { name: "Elsewhere", expiry: "30" });
      const [token] = shown.text.match(/eyJ[\w-]+\.[\w-]+\.[\w-]+/) ?? assert.fail(shown.text);
      const headers = [
        ...Object.entries(MESSAGE),
        ["Authorization", `Bearer ${token}`],
        ["X-Forwarded-For", "192.0.2.66"],
        ["X_Forwarded_For", "192.0.2.67"],
        ["X-Real-IP", "192.0.2.68"],
        ["Forwarded", "for=192.0.2.69"],
      ];
      const answer = await rawRequest(proxy.url, { headers, body: LIST, from: "127.0.0.2" });
      assert.equal(answer.status, 200, answer.body);
      const list = await person.open("/dashboard/api-keys");
      assert.ok(list.text.includes("127.0.0.2") && !list.text.includes("192.0.2."), list.text);
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
