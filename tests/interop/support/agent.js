// What an MCP client application keeps while an SDK signs it in: its registration, tokens, verifier and discovery.
//
// One object serves both generations of the TypeScript SDK: they ask the same questions.

import { randomBytes } from "node:crypto";
import { strict as assert } from "node:assert";

export const CALLBACK = "http://127.0.0.1:53682/callback";

/** An OAuth client whose memory is this object. Options other than `name` and `redirect` are for its metadata. */
export class Agent {
  #verifier;
  #state;
  #discovery;

  constructor({ name = "Interop agent", redirect = CALLBACK, clientMetadataUrl, ...metadata } = {}) {
    this.redirectUrl = redirect;
    this.clientMetadataUrl = clientMetadataUrl;
    this.clientMetadata = {
      client_name: name,
      redirect_uris: [redirect],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
      ...metadata,
    };
    /** Where the SDK last wanted to send the browser. */
    this.authorizationUrl = undefined;
    this.client = undefined;
    this.stored = undefined;
    /** Every set of tokens that was saved, oldest first. */
    this.history = [];
    /** Every request that the SDK made, as "METHOD /path" in order. */
    this.requests = [];
  }

  state() {
    this.#state = randomBytes(16).toString("hex");
    return this.#state;
  }

  clientInformation() {
    return this.client;
  }

  saveClientInformation(information) {
    this.client = information;
  }

  tokens() {
    return this.stored;
  }

  saveTokens(tokens) {
    this.stored = tokens;
    this.history.push(tokens);
  }

  redirectToAuthorization(url) {
    this.authorizationUrl = url;
  }

  saveCodeVerifier(verifier) {
    this.#verifier = verifier;
  }

  codeVerifier() {
    return this.#verifier;
  }

  saveDiscoveryState(state) {
    this.#discovery = state;
  }

  discoveryState() {
    return this.#discovery;
  }

  invalidateCredentials(what) {
    if (what === "all" || what === "client") this.client = undefined;
    if (what === "all" || what === "tokens") this.stored = undefined;
    if (what === "all" || what === "verifier") this.#verifier = undefined;
    if (what === "all" || what === "discovery") this.#discovery = undefined;
  }

  /** A `fetch` that writes down what it is asked for. */
  get fetch() {
    return async (url, init) => {
      const line = `${init?.method ?? "GET"} ${new URL(url).pathname}`;
      const response = await fetch(url, { ...init, signal: init?.signal ?? AbortSignal.timeout(30_000) });
      this.requests.push(line);
      return response;
    };
  }

  /** The parameters of the callback, after the checks that a careful client makes itself. */
  accept(callback, { issuer }) {
    const expected = new URL(this.redirectUrl);
    assert.equal(callback.origin + callback.pathname, expected.origin + expected.pathname);
    const parameters = callback.searchParams;
    assert.equal(parameters.get("error"), null, `refused: ${callback.search}`);
    assert.equal(parameters.get("state"), this.#state, "state comes back unchanged");
    assert.equal(parameters.get("iss"), issuer, "iss is the issuer, byte for byte");
    assert.equal(parameters.getAll("code").length, 1, "one code");
    return parameters;
  }
}

/** An access token that was never issued, shaped like one that was: its signature is another's. */
export function spoiled(token) {
  const [header, claims, signature] = token.split(".");
  const turned = [...Buffer.from(signature, "base64url")].map((byte) => byte ^ 0x5a);
  return [header, claims, Buffer.from(turned).toString("base64url")].join(".");
}

/** The text and structured content of a tool result, as one string to search in. */
export function said(result) {
  return JSON.stringify({ content: result.content, structuredContent: result.structuredContent });
}

/** Posts one `tools/list` with a bearer token and nothing else of a client: what a stranger would see. */
export async function bare(mcpUrl, token) {
  const response = await fetch(mcpUrl, {
    method: "POST",
    signal: AbortSignal.timeout(10_000),
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }),
  });
  return { status: response.status, challenge: response.headers.get("www-authenticate") ?? "", body: await response.text() };
}

export const BUILT_IN_TOOLS = ["list_my_tokens", "list_servers", "revoke_my_token", "whoami"];
