// The 2.x TypeScript SDK as the journeys use it.

import { Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";

/**
 * Clients for `mcpUrl`: signed in by an agent, or with a token in a header.
 *
 * `mode` is the SDK's version negotiation: "legacy", "auto", or `{ pin: "2026-07-28" }`.
 */
export function sdkV2(mcpUrl, mode) {
  const transport = (agent) =>
    new StreamableHTTPClientTransport(new URL(mcpUrl), { authProvider: agent, fetch: agent.fetch });
  const client = () => new Client({ name: "keyward-interop-v2", version: "1.0.0" }, { versionNegotiation: { mode } });
  return {
    signedOut: UnauthorizedError,
    async connect(agent) {
      const connected = client();
      await connected.connect(transport(agent));
      return connected;
    },
    finish: (agent, parameters) => transport(agent).finishAuth(parameters),
    async connectWithToken(token) {
      const connected = client();
      const requestInit = { headers: { authorization: `Bearer ${token}` } };
      await connected.connect(new StreamableHTTPClientTransport(new URL(mcpUrl), { requestInit }));
      return connected;
    },
  };
}
