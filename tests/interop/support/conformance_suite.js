// Runs the conformance suite against an MCP server and reads the checks that it leaves behind.

import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { installed, runToEnd } from "./command.js";

/** The suite's command, for `node`. */
export const suite = installed("@modelcontextprotocol/conformance/dist/index.js");

/** Runs the server scenarios of `revision` at `url`; scenario by scenario, the checks in the order they were made. */
export async function serverChecks({ url, revision, output }) {
  const args = [suite, "server", "--url", url, "--requirements", revision, "-o", output];
  const run = await runToEnd(process.execPath, args, { withinMs: 200_000 });
  return { checks: await checksIn(output), printed: run.stderr };
}

/** The checks that a run left in `output`, by scenario. */
export async function checksIn(output) {
  const found = new Map();
  for (const name of await readdir(output)) {
    const [, scenario] = name.match(/^(?:server|authorization-server)-(.+)-\d{4}-\d\d-\d\dT/) ?? [];
    if (scenario === undefined) continue;
    found.set(scenario, JSON.parse(await readFile(join(output, name, "checks.json"), "utf8")));
  }
  return found;
}
