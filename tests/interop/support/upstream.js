// Starts an MCP server without any sign-in, for Keyward to stand in front of.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** The server with the conformance suite's fixtures. */
export const fixtureServer = fileURLToPath(new URL("fixture_server.js", import.meta.url));

/**
 * Runs `command` until `stop()`; it says `{"url": …}` in its first line when it is ready, and ends with its standard
 * input.
 */
export async function startUpstream(command, args) {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  let trouble = "";
  child.stderr.setEncoding("utf8").on("data", (chunk) => (trouble = (trouble + chunk).slice(-16_384)));
  const exit = once(child, "exit");
  const lines = createInterface({ input: child.stdout });
  const outcome = await Promise.race([once(lines, "line").then(([line]) => ({ line })), exit.then(([code]) => ({ code }))]);
  if (outcome.line === undefined) throw new Error(`${command} ${args.join(" ")} ended with ${outcome.code}\n${trouble}`);
  return {
    url: JSON.parse(outcome.line).url,
    async stop() {
      child.stdin.end();
      const slow = setTimeout(() => child.kill("SIGKILL"), 5_000);
      await exit;
      clearTimeout(slow);
    },
  };
}
