// A proxy on loopback that adds a bearer token to each request, for suites that cannot send one.
//
// It speaks of the server behind it by that server's own name: its own host and origin are replaced by the
// server's, any other is passed through as it came, so that a forged Host or Origin arrives forged.

import { once } from "node:events";
import { createServer, request as send } from "node:http";

/** Listens until `close()`; `url` stands for `target`. */
export async function bearerProxy({ target, token }) {
  const upstream = new URL(target);
  let own;
  const server = createServer((request, response) => {
    const headers = { ...request.headers, authorization: `Bearer ${token}` };
    if (headers.host === own.host || headers.host === `localhost:${own.port}`) headers.host = upstream.host;
    if (headers.origin === own.origin || headers.origin === `http://localhost:${own.port}`) headers.origin = upstream.origin;
    const onward = send(
      { host: upstream.hostname, port: upstream.port, path: request.url, method: request.method, headers },
      (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  own = new URL(`http://127.0.0.1:${server.address().port}`);
  return {
    url: `http://localhost:${own.port}${upstream.pathname}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
