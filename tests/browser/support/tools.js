// A tools server on the 1.x SDK whose tools say of themselves what they do.

import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { startToolsServer } from "../../interop/support/tools_server.js";

const said = (text) => ({ content: [{ type: "text", text }] });
const tool = (title, annotations, does) => ({ title, description: title, annotations, does });

const TOOLS = {
  read_page: tool("Read a page", { readOnlyHint: true }, () => said("a page")),
  search: tool("Search all pages", { readOnlyHint: true, openWorldHint: true }, () => said("none")),
  write_page: tool("Write a page", { destructiveHint: false, idempotentHint: true }, () => said("done")),
  delete_page: tool("Delete a page", { destructiveHint: true }, () => ({ ...said("locked"), isError: true })),
};

/** As `startToolsServer`. */
export function startTools() {
  return startToolsServer({ McpServer, StreamableHTTPServerTransport }, { name: "notes", version: "2.1.0" }, TOOLS);
}
