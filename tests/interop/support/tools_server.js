// A small MCP server without any sign-in, on the 1.x SDK: its one tool says which headers a call came with.

import { once } from "node:events";
import { createServer } from "node:http";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";

/** Listens until `close()`; `calls()` is how many requests came, `last()` the headers of the last, as [name, value] each. */
export async function startToolsServer() {
  let count = 0;
  let last = [];
  const server = createServer(async (request, response) => {
    count += 1;
    last = request.rawHeaders.flatMap((name, at, all) => (at % 2 === 0 ? [[name, all[at + 1]]] : []));
    const mcp = new McpServer({ name: "tools", version: "1.0.0" });
    mcp.registerTool("headers", { description: "Says with which headers it was called." }, ({ requestInfo }) => ({
      content: [{ type: "text", text: JSON.stringify(requestInfo.headers) }],
    }));
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
    response.on("close", () => transport.close());
    await mcp.connect(transport);
    await transport.handleRequest(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `127.0.0.1:${server.address().port}`,
    calls: () => count,
    last: () => last,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
