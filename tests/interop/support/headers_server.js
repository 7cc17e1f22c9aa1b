// A tools server on the 1.x SDK whose one tool says which headers a call came with.

import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { startToolsServer } from "./tools_server.js";

const headers = {
  description: "Says with which headers it was called.",
  does: ({ requestInfo }) => ({ content: [{ type: "text", text: JSON.stringify(requestInfo.headers) }] }),
};

/** As `startToolsServer`. */
export function startHeadersServer() {
  return startToolsServer({ McpServer, StreamableHTTPServerTransport }, { name: "tools", version: "1.0.0" }, { headers });
}
