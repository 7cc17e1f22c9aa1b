// The 1.x TypeScript SDK as the journeys use it.

import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

/** Clients for `mcpUrl`: signed in by an agent, or with a token in a header. */
export function sdkV1(mcpUrl) {
  const transport = (agent) =>
    new StreamableHTTPClientTransport(new URL(mcpUrl), { authProvider: agent, fetch: agent.fetch });
  return {
    signedOut: UnauthorizedError,
    async connect(agent) {
      const client = new Client({ name: "keyward-interop-v1", version: "1.0.0" });
      await client.connect(transport(agent));
      return client;
    },
    finish: (agent, parameters) => transport(agent).finishAuth(parameters.get("code")),
    async connectWithToken(token) {
      const client = new Client({ name: "keyward-interop-v1", version: "1.0.0" });
      const requestInit = { headers: { authorization: `Bearer ${token}` } };
      await client.connect(new StreamableHTTPClientTransport(new URL(mcpUrl), { requestInit }));
      return client;
    },
  };
}
