// A small MCP server without any sign-in, with the tools that it is given.
//
// Only Node's own modules are used here, so that other test projects can share this file: each brings its own 1.x SDK.

import { once } from "node:events";
import { createServer } from "node:http";

/**
 * Listens until `close()`; `calls()` is how many requests came, `last()` the headers of the last, as [name, value] each.
 *
 * A tool is what the SDK is told of it, and what it `does`. Each request has a server of its own.
 */
export async function startToolsServer({ McpServer, StreamableHTTPServerTransport }, itself, tools) {
  let count = 0;
  let last = [];
  const server = createServer(async (request, response) => {
    count += 1;
    last = request.rawHeaders.flatMap((name, at, all) => (at % 2 === 0 ? [[name, all[at + 1]]] : []));
    const mcp = new McpServer(itself);
    for (const [name, { does, ...told }] of Object.entries(tools)) mcp.registerTool(name, told, does);
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
    response.on("close", () => transport.close());
    await mcp.connect(transport);
    await transport.handleRequest(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = `127.0.0.1:${server.address().port}`;
  return {
    address,
    url: `http://${address}/mcp`,
    calls: () => count,
    last: () => last,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
