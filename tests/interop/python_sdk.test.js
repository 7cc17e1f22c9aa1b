// Does the Python SDK get through, signed in and with a personal token, in both eras?

import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { BUILT_IN_TOOLS } from "./support/agent.js";
import { startFixture } from "./support/appliance.js";
import { Person } from "./support/person.js";
import { assertPython, python } from "./support/python.js";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

let appliance;
before(async () => {
  assertPython();
  appliance = await startFixture();
});
after(() => appliance?.stop());

/** Runs the client; `decide` answers each URL it wants opened. */
async function look({ env = {}, decide }) {
  const options = { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"], timeout: 100_000 };
  const child = spawn(python, [at("python/agent.py"), appliance.mcpUrl], options);
  let trouble = "";
  child.stderr.setEncoding("utf8").on("data", (chunk) => (trouble += chunk));
  child.stdin.on("error", () => {});
  const exit = once(child, "exit");
  let last;
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line);
    if (said.open === undefined) last = said;
    else child.stdin.write(`${await decide(said.open).catch((error) => child.kill() && Promise.reject(error))}\n`);
  }
  const [code] = await exit;
  assert.equal(code, 0, trouble);
  return last;
}

function check(report) {
  assert.deepEqual(report.saw.map((round) => round.mode), ["auto", "legacy"]);
  assert.equal(report.saw[0].version, "2026-07-28");
  for (const round of report.saw) {
    assert.deepEqual(round.tools, BUILT_IN_TOOLS);
    assert.ok(round.whoami.includes(appliance.username), round.whoami);
  }
}

test("Python SDK: discovers, registers, signs in, calls tools and refreshes", async () => {
  const person = new Person(appliance);
  let opened = 0;
  const report = await look({
    decide(url) {
      opened += 1;
      return person.decide(url);
    },
  });
  check(report);
  assert.equal(opened, 1, "the person was asked once");
  assert.equal(report.token_sets, 2, "the second set of tokens came from a refresh");
});

test("Python SDK: calls tools with a personal token in a header", async () => {
  check(await look({ env: { KEYWARD_TOKEN: appliance.personalToken }, decide: () => Promise.reject(new Error("asked")) }));
});
