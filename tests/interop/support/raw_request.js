// A request as nobody but a stranger sends it: any header, any number of times, and a path that nobody tidies.

import { request } from "node:http";

/** `headers` is a list of [name, value]; `from` is the address of this machine that it comes from. */
export function rawRequest(url, { method = "POST", path, headers = [], body = "", from } = {}) {
  const { hostname, port, host, pathname } = new URL(url);
  const length = method === "GET" ? [] : [["Content-Length", `${Buffer.byteLength(body)}`]];
  return new Promise((done, failed) => {
    const sent = request({
      hostname,
      port,
      method,
      path: path ?? pathname,
      headers: [["Host", host], ...headers, ...length].flat(),
      localAddress: from,
      timeout: 10_000,
    });
    sent.on("error", failed).on("timeout", () => sent.destroy(new Error(`${method} ${path} was not answered`)));
    sent.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part) => (text += part));
      response.on("end", () => done({ status: response.statusCode, headers: response.headers, body: text }));
    });
    sent.end(method === "GET" ? undefined : body);
  });
}
