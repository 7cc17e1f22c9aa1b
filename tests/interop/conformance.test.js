// What does the conformance suite say of Keyward as an authorization server, and of its built-in MCP server?
//
// The built-in server offers four tools and nothing else, so most of the server scenarios, which need fixture tools,
// prompts or resources, cannot pass. `conformance_expectations.json` says for each scenario which it is and why.
// Anything that differs from it in either direction fails: a new failure, and an entry that is no longer true.

import { strict as assert } from "node:assert";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { freePort, scratchFolder, startFixture } from "./support/appliance.js";
import { bearerProxy } from "./support/bearer_proxy.js";
import { runToEnd } from "./support/command.js";
import { checksIn, serverChecks, suite } from "./support/conformance_suite.js";
import { Person } from "./support/person.js";

const expectations = JSON.parse(await readFile(new URL("conformance_expectations.json", import.meta.url), "utf8"));

let appliance;
let folder;
before(async () => {
  appliance = await startFixture();
  folder = await scratchFolder("conformance");
});
after(async () => {
  await appliance?.stop();
  await folder?.remove();
});

test("authorization: metadata endpoint and authorization code grant, with a person who approves", async () => {
  const port = await freePort();
  const registration = await fetch(`${appliance.url}/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      client_name: "Conformance suite",
      redirect_uris: [`http://127.0.0.1:${port}/callback`],
      token_endpoint_auth_method: "none",
    }),
  });
  assert.equal(registration.status, 201);
  const { client_id: clientId } = await registration.json();

  const person = new Person(appliance);
  let decided;
  const onOutput = (text) => {
    const [url] = text.match(/https?:\/\/\S+\/authorize\?\S+(?=\s)/) ?? [];
    if (url !== undefined) decided ??= person.decideAndReturn(url).catch((error) => error);
  };
  const output = join(folder.path, "authorization");
  const target = ["--url", appliance.url, "--client-id", clientId, "--resource", appliance.mcpUrl];
  const run = await runToEnd(process.execPath, [suite, "authorization", ...target, "-p", `${port}`, "-o", output], {
    withinMs: 90_000,
    onOutput,
  });
  const printed = `${run.stdout}\n${run.stderr}`;
  assert.ok((await decided) instanceof URL, `${await decided}\n${printed}`);
  assert.equal(run.code, 0, printed);
  const outcomes = outcomesOf(await checksIn(output));
  for (const scenario of ["authorization-server-metadata-endpoint", "authorization-code-grant"]) {
    assert.equal(outcomes.get(scenario)?.kind, "meets", `${scenario}\n${printed}`);
  }
});

for (const [revision, expected] of Object.entries(expectations.server)) {
  test(`server: the scenarios of ${revision} end as the expectation file says`, async () => {
    const proxy = await bearerProxy({ target: appliance.mcpUrl, token: appliance.personalToken });
    const output = join(folder.path, revision);
    try {
      const { checks, printed } = await serverChecks({ url: proxy.url, revision, output });
      const differences = compare(outcomesOf(checks), expected);
      assert.deepEqual(differences, [], `${differences.join("\n")}\n${printed}`);
    } finally {
      proxy.close();
    }
  });
}

/** What became of each scenario, by its checks. */
function outcomesOf(checksByScenario) {
  const outcomes = new Map();
  for (const [scenario, checks] of checksByScenario) {
    const failures = checks.filter((check) => check.status === "FAILURE");
    const says = checks.some((check) => check.status === "SUCCESS" && check.id !== "wire-schema-valid");
    outcomes.set(scenario, {
      kind: failures.length > 0 ? "cannot" : says ? "meets" : "silent",
      failing: [...new Set(failures.map((check) => check.id))].sort(),
      words: failures.map((check) => `${check.id}: ${check.errorMessage}`).join("; "),
    });
  }
  return outcomes;
}

/** One line for each scenario that did not end as expected. */
function compare(outcomes, expected) {
  const entries = new Map(expected.meets.map((scenario) => [scenario, { kind: "meets", failing: [] }]));
  for (const scenario of Object.keys(expected.silent)) entries.set(scenario, { kind: "silent", failing: [] });
  for (const { scenarios } of expected.cannot) {
    for (const [scenario, failing] of Object.entries(scenarios)) entries.set(scenario, { kind: "cannot", failing });
  }
  const lines = [];
  for (const [scenario, { kind, failing, words }] of [...outcomes].sort()) {
    const entry = entries.get(scenario);
    entries.delete(scenario);
    const same = entry?.kind === kind && JSON.stringify([...entry.failing].sort()) === JSON.stringify(failing);
    if (same) continue;
    const found = `${kind} ${JSON.stringify(failing)}`;
    const hoped = entry === undefined ? "nothing" : `${entry.kind} ${JSON.stringify(entry.failing)}`;
    lines.push(`${scenario}: ${found}, the file expects ${hoped}${words ? ` (${words})` : ""}`);
  }
  for (const scenario of entries.keys()) lines.push(`${scenario}: did not run, the file expects it`);
  return lines;
}
