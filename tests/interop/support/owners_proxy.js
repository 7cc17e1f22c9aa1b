// A proxy of the owner's in front of an MCP server, with the settings that the README shows, on ports of this machine.

import { spawn } from "node:child_process";
import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { scratchFolder } from "./appliance.js";
import { assertPython, python } from "./python.js";

const WITHIN_MS = 15_000;
/** Traefik is none of Debian's packages: it comes with `python/requirements.txt`. */
const traefik = join(dirname(python), "traefik");

/** The README's block of settings that has this word in it. */
function settings(word) {
  const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
  const [, section] = readme.split("### Behind a proxy of your own");
  const blocks = [...section.matchAll(/^```(?:text|yaml)\n([\s\S]*?)^```$/gm)].map(([, text]) => text);
  const found = blocks.filter((text) => text.includes(word));
  assert.equal(found.length, 1, `one block with ${word}`);
  return found[0];
}

/** Puts real addresses in place of the README's, each of which must be there. */
function placed(text, places) {
  for (const [name, place] of places) {
    assert.ok(text.includes(name), `${name} in\n${text}`);
    text = text.replaceAll(name, place);
  }
  return text;
}

/** Caddy at `port` in front of `upstream` (host:port), which asks the Keyward at `keyward` (host:port). */
export async function startCaddy({ port, keyward, upstream }) {
  const folder = await scratchFolder("caddy");
  const places = [
    ["tools.example.org {", `http://127.0.0.1:${port} {\n    bind 127.0.0.1`],
    ["mcp.example.org", keyward],
    ["127.0.0.1:8080", keyward],
    ["127.0.0.1:9000", upstream],
  ];
  const file = join(folder.path, "Caddyfile");
  await writeFile(file, `{\n    admin off\n    auto_https off\n}\n${placed(settings("forward_auth"), places)}`);
  const env = { PATH: process.env.PATH, HOME: folder.path, XDG_DATA_HOME: folder.path, XDG_CONFIG_HOME: folder.path };
  return start(["caddy", "run", "--config", file, "--adapter", "caddyfile"], { env, port, folder });
}

/** nginx, as [`startCaddy`]. */
export async function startNginx({ port, keyward, upstream }) {
  const folder = await scratchFolder("nginx");
  const places = [
    ["mcp.example.org", keyward],
    ["127.0.0.1:8080", keyward],
    ["127.0.0.1:9000", upstream],
  ];
  const locations = placed(settings("auth_request"), places);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  for (const name of temporary) await mkdir(join(folder.path, name));
  const text = [
    "daemon off;",
    `pid ${folder.path}/pid;`,
    `error_log ${folder.path}/error.log;`,
    ...(process.getuid() === 0 ? ["user root;"] : []),
    "events {}",
    "http {",
    "access_log off;",
    ...temporary.map((name) => `${name}_temp_path ${folder.path}/${name};`),
    `server {\nlisten 127.0.0.1:${port};\n${locations}}`,
    "}",
  ].join("\n");
  const file = join(folder.path, "nginx.conf");
  await writeFile(file, text);
  return start(["nginx", "-p", folder.path, "-c", file, "-e", join(folder.path, "error.log")], { port, folder });
}

/** Traefik, as [`startCaddy`]. */
export async function startTraefik({ port, keyward, upstream }) {
  assertPython();
  const folder = await scratchFolder("traefik");
  const places = [
    ["tools.example.org", "127.0.0.1"],
    ["mcp.example.org", keyward],
    ["127.0.0.1:8080", keyward],
    ["127.0.0.1:9000", upstream],
  ];
  const file = join(folder.path, "dynamic.yaml");
  await writeFile(file, placed(settings("forwardAuth"), places));
  const args = [
    `--entryPoints.web.address=127.0.0.1:${port}`,
    `--providers.file.filename=${file}`,
    "--global.checkNewVersion=false",
    "--global.sendAnonymousUsage=false",
  ];
  return start([traefik, ...args], { env: { PATH: process.env.PATH, HOME: folder.path }, port, folder });
}

async function start([program, ...args], { env = process.env, port, folder }) {
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (log += text));
  const exited = new Promise((done) => child.once("exit", done).once("error", done));
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    await exited;
    await folder.remove();
  };
  const deadline = Date.now() + WITHIN_MS;
  for (;;) {
    // Before it has read its settings, Traefik answers 404.
    const answered = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
    if (answered?.status === 401) break;
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`${program} does not ask for a token:\n${log}`);
    }
    await new Promise((done) => setTimeout(done, 50));
  }
  return { url: `http://127.0.0.1:${port}/mcp`, stop };
}
