// A small MCP server without any sign-in, whose tools say of themselves what they do.

import { once } from "node:events";
import { createServer } from "node:http";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";

const said = (text) => ({ content: [{ type: "text", text }] });

const TOOLS = {
  read_page: { title: "Read a page", annotations: { readOnlyHint: true }, does: () => said("a page") },
  search: { title: "Search all pages", annotations: { readOnlyHint: true, openWorldHint: true }, does: () => said("none") },
  write_page: { title: "Write a page", annotations: { destructiveHint: false, idempotentHint: true }, does: () => said("done") },
  delete_page: { title: "Delete a page", annotations: { destructiveHint: true }, does: () => ({ ...said("locked"), isError: true }) },
};

/** Listens until `close()`. */
export async function startTools() {
  const server = createServer(async (request, response) => {
    const mcp = new McpServer({ name: "notes", version: "2.1.0" });
    for (const [name, { title, annotations, does }] of Object.entries(TOOLS)) {
      mcp.registerTool(name, { title, description: title, annotations }, does);
    }
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
    response.on("close", () => transport.close());
    await mcp.connect(transport);
    await transport.handleRequest(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}/mcp`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
