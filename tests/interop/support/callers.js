// Real MCP clients of both generations of the TypeScript SDK, with the same few things to do at a server.
//
// Each can be asked: it approves an elicitation with `ANSWER`, samples `SAMPLE`, and has one root.

import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from "@modelcontextprotocol/client";

export const ANSWER = { username: "anna", email: "anna@example.org" };
export const SAMPLE = "Sampled by the client";

const capabilities = { elicitation: {}, sampling: {}, roots: {} };
const elicited = () => ({ action: "accept", content: ANSWER });
const sampled = () => ({ role: "assistant", content: { type: "text", text: SAMPLE }, model: "none", stopReason: "endTurn" });
const roots = () => ({ roots: [{ uri: "file:///interop", name: "Interop" }] });
const bearer = (token) => ({ requestInit: { headers: { authorization: `Bearer ${token}` } } });

/** A 1.x client, in the legacy era. */
export async function callerV1({ url, token }) {
  const client = new ClientV1({ name: "keyward-interop-v1", version: "1.0.0" }, { capabilities });
  client.setRequestHandler(ElicitRequestSchema, elicited);
  client.setRequestHandler(CreateMessageRequestSchema, sampled);
  client.setRequestHandler(ListRootsRequestSchema, roots);
  const transport = new TransportV1(new URL(url), bearer(token));
  await client.connect(transport);
  return {
    client,
    transport,
    call: (name, input = {}, options) => client.callTool({ name, arguments: input }, undefined, options),
  };
}

/** A 2.x client; `mode` as in `sdkV2`. */
export async function callerV2({ url, token, mode }) {
  const client = new ClientV2({ name: "keyward-interop-v2", version: "1.0.0" }, { capabilities, versionNegotiation: { mode } });
  client.setRequestHandler("elicitation/create", elicited);
  client.setRequestHandler("sampling/createMessage", sampled);
  client.setRequestHandler("roots/list", roots);
  const transport = new TransportV2(new URL(url), bearer(token));
  await client.connect(transport);
  return { client, transport, call: (name, input = {}, options) => client.callTool({ name, arguments: input }, options) };
}

/** Every kind of client, by the name that a test gives it. */
export const CALLERS = [
  ["sdk 1.x", callerV1],
  ["sdk 2.x in the legacy era", (at) => callerV2({ ...at, mode: "legacy" })],
  ["sdk 2.x pinned to 2026-07-28", (at) => callerV2({ ...at, mode: { pin: "2026-07-28" } })],
];
