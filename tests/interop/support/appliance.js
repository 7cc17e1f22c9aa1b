// Starts the real Keyward binary for a test and stops it again.
//
// `startFixture` runs `keyward fixture`, which keeps everything in memory and says on standard output, in one JSON
// line, where it is. `startServe` runs `keyward serve` on a data directory, as a self-hoster does. Only Node's own
// modules are used here, so that other test projects can share this file.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const repository = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

/** The binary under test. */
export const binary = resolve(process.env.KEYWARD_BIN ?? join(repository, "target/debug/keyward"));

const READY_WITHIN_MS = 30_000;
const STOP_WITHIN_MS = 10_000;
const LOG_LIMIT = 64 * 1024;

/** An empty folder of its own for one test, removed with `remove()`. */
export async function scratchFolder(name) {
  const path = await mkdtemp(join(tmpdir(), `keyward-${name}-`));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** A loopback port that nothing listens on at this moment. */
export async function freePort() {
  const probe = createServer();
  probe.listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

/**
 * Runs `keyward fixture` and waits for its ready line.
 *
 * `config` is the text of a configuration file, or nothing; `port` one of loopback, or 0 for any.
 */
export async function startFixture({ config, port = 0 } = {}) {
  const folder = await scratchFolder("fixture");
  const args = ["fixture", "--port", String(port)];
  if (config !== undefined) {
    const file = join(folder.path, "keyward.toml");
    await writeFile(file, config, { mode: 0o600 });
    args.push("--config", file);
  }
  const child = launch(args, folder.path);
  try {
    const ready = JSON.parse(await lineFrom(child, (line) => (line.startsWith("{") ? line : undefined)));
    return {
      url: ready.url,
      mcpUrl: ready.mcp_url,
      username: ready.username,
      password: ready.password,
      personalToken: ready.personal_token,
      signingKey: ready.signing_key,
      log: child.log,
      async stop() {
        child.process.stdin.end();
        await ended(child);
        await folder.remove();
      },
    };
  } catch (error) {
    child.process.kill("SIGKILL");
    await folder.remove();
    throw error;
  }
}

/** Runs `keyward serve` on `dataDir` and waits until it answers; `setupUrl` is the link of a first start. */
export async function startServe({ dataDir, port, host = "127.0.0.1" }) {
  const url = `http://${host}:${port}`;
  const args = ["serve", "--data-dir", dataDir, "--listen", `127.0.0.1:${port}`, "--public-url", url];
  const child = launch(args, tmpdir());
  try {
    await answersAt(`${url}/readyz`, child);
    const [setupUrl] = child.log().match(/https?:\/\/\S+\/setup\?secret=[A-Za-z0-9_-]+/) ?? [];
    return {
      url,
      mcpUrl: `${url}/mcp`,
      setupUrl,
      log: child.log,
      async stop() {
        child.process.kill("SIGTERM");
        await ended(child);
      },
    };
  } catch (error) {
    child.process.kill("SIGKILL");
    throw error;
  }
}

/** Starts the binary without any setting of the caller's environment and keeps the end of what it prints. */
function launch(args, cwd) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("KEYWARD_")));
  const started = spawn(binary, args, { cwd, env, stdio: ["pipe", "pipe", "pipe"] });
  let text = "";
  const keep = (chunk) => {
    text = (text + chunk).slice(-LOG_LIMIT);
  };
  started.stdout.setEncoding("utf8").on("data", keep);
  started.stderr.setEncoding("utf8").on("data", keep);
  started.stdin.on("error", () => {});
  const exited = new Promise((done) => {
    started.once("error", (error) => done(`could not be started: ${error.message}`));
    started.once("exit", (code, signal) => done(`ended with ${signal ?? `exit code ${code}`}`));
  });
  return { process: started, exited, log: () => text, args };
}

function failure(child, why) {
  return new Error(`${binary} ${child.args.join(" ")} ${why}\n--- what it printed ---\n${child.log()}`);
}

/** The first line on standard output that `pick` takes. */
async function lineFrom(child, pick) {
  const lines = createInterface({ input: child.process.stdout });
  const found = new Promise((done) => {
    lines.on("line", (line) => {
      const picked = pick(line);
      if (picked !== undefined) done({ picked });
    });
  });
  const outcome = await Promise.race([
    found,
    child.exited.then((why) => ({ why })),
    after(READY_WITHIN_MS, { why: `was not ready within ${READY_WITHIN_MS} ms` }),
  ]);
  if (outcome.why !== undefined) throw failure(child, outcome.why);
  return outcome.picked;
}

async function answersAt(url, child) {
  let why;
  child.exited.then((reason) => (why = reason));
  for (const end = Date.now() + READY_WITHIN_MS; Date.now() < end; await after(50)) {
    if (why !== undefined) throw failure(child, why);
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok) return;
  }
  throw failure(child, `did not answer at ${url} within ${READY_WITHIN_MS} ms`);
}

async function ended(child) {
  const why = await Promise.race([child.exited, after(STOP_WITHIN_MS)]);
  if (why === undefined) {
    child.process.kill("SIGKILL");
    throw failure(child, `did not stop within ${STOP_WITHIN_MS} ms`);
  }
  if (why !== "ended with exit code 0") throw failure(child, why);
}

/** Waits `ms` milliseconds without keeping the process alive for it. */
export function after(ms, value) {
  return new Promise((done) => setTimeout(done, ms, value).unref());
}
