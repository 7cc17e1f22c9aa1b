// An MCP client application on the 1.x TypeScript SDK with a real loopback listener for its callback.

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const CALLBACK_WITHIN_MS = 20_000;

/** The application, not signed in. `host` is what it puts into its redirect. */
export async function newApplication(mcpUrl, { name, host = "127.0.0.1", redirect, clientId, listens = true }) {
  let arrived;
  const callback = new Promise((done) => (arrived = done));
  const listener = createServer((request, response) => {
    const url = new URL(request.url, "http://127.0.0.1");
    if (url.pathname === "/callback") arrived(url.searchParams);
    response.writeHead(url.pathname === "/callback" ? 200 : 404, { "content-type": "text/html; charset=utf-8" });
    response.end('<!doctype html><title>Done</title><link rel="icon" href="data:,"><h1>Back at the client</h1>');
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  listener.unref();
  const redirectUrl = redirect ?? `http://${host}:${listener.address().port}/callback`;
  if (!listens) listener.close();

  const state = randomBytes(12).toString("hex");
  const memory = { client: clientId === undefined ? undefined : { client_id: clientId } };
  const provider = {
    redirectUrl,
    clientMetadata: {
      client_name: name,
      redirect_uris: [redirectUrl],
      grant_types: ["authorization_code", "refresh_token"],
      token_endpoint_auth_method: "none",
    },
    state: () => state,
    clientInformation: () => memory.client,
    saveClientInformation: (client) => (memory.client = client),
    tokens: () => memory.tokens,
    saveTokens: (tokens) => (memory.tokens = tokens),
    redirectToAuthorization: (url) => (memory.authorizationUrl = url.href),
    saveCodeVerifier: (verifier) => (memory.verifier = verifier),
    codeVerifier: () => memory.verifier,
  };
  const transport = () => new StreamableHTTPClientTransport(new URL(mcpUrl), { authProvider: provider });
  const connect = async () => {
    const client = new Client({ name: "keyward-browser-test", version: "1.0.0" });
    await client.connect(transport());
    return client;
  };
  return {
    redirectUrl,
    state,
    /** The URL that the application opens in the person's browser. */
    async asks() {
      try {
        await connect();
      } catch (error) {
        if (error instanceof UnauthorizedError) return memory.authorizationUrl;
        throw error;
      }
      throw new Error("the server let a client in without a token");
    },
    /** The parameters with which the browser came back. */
    cameBack: () =>
      Promise.race([
        callback,
        new Promise((_, failed) => {
          setTimeout(failed, CALLBACK_WITHIN_MS, new Error("the browser never came back to the client")).unref();
        }),
      ]),
    /** Redeems the code and connects. */
    async finish(parameters) {
      await transport().finishAuth(parameters.get("code"));
      return connect();
    },
    close: () => listener.close(),
  };
}

/** A client with a token in a header. */
export async function withToken(mcpUrl, token) {
  const client = new Client({ name: "keyward-browser-test", version: "1.0.0" });
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(mcpUrl), { requestInit }));
  return client;
}

/** The status of one `tools/list` with this token. */
export async function statusWith(mcpUrl, token) {
  const response = await fetch(mcpUrl, {
    method: "POST",
    signal: AbortSignal.timeout(10_000),
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }),
  });
  await response.text();
  return response.status;
}

/** The text of what `whoami` says. */
export async function whoami(client) {
  return JSON.stringify(await client.callTool({ name: "whoami", arguments: {} }));
}

/** Calls a tool of a server that keeps no sessions, so many times. */
export async function callTools(mcpUrl, token, name, times) {
  const client = await withToken(mcpUrl, token);
  for (let time = 0; time < times; time += 1) await client.callTool({ name, arguments: {} }).catch(() => {});
  await client.close();
}
