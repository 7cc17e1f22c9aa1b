// Do programs that are MCP servers on standard input and output work behind Keyward: for the conformance suite, which
// compares them with the same fixtures over HTTP, and for real clients?
//
// `gateway_differences.json` lists the checks of the suite that may end otherwise through Keyward, with the reason.

import { strict as assert } from "node:assert";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { said } from "./support/agent.js";
import { scratchFolder, startFixture } from "./support/appliance.js";
import { bearerProxy } from "./support/bearer_proxy.js";
import { CALLERS, SAMPLE } from "./support/callers.js";
import { assertAlike, failing } from "./support/check_by_check.js";
import { installed } from "./support/command.js";
import { serverChecks } from "./support/conformance_suite.js";
import { everyJourney, questions, rootsAsked } from "./support/fixture_journeys.js";
import { fixtureServer, startUpstream } from "./support/upstream.js";

const { stdio: differences } = JSON.parse(await readFile(new URL("gateway_differences.json", import.meta.url), "utf8"));

let appliance;
let folder;
let notes;
before(async () => {
  folder = await scratchFolder("gateway-stdio");
  notes = join(folder.path, "notes");
  await mkdir(notes);
  await writeFile(join(notes, "first.txt"), "The first note");
  const command = (...parts) => `command = ${JSON.stringify([process.execPath, ...parts])}`;
  const config = [
    "[servers.fixtures]",
    command(fixtureServer, "stdio"),
    "[servers.modern-fixtures]",
    command(fixtureServer, "stdio-modern"),
    "[servers.own-fixtures]",
    command(fixtureServer, "stdio"),
    'mode = "per-session"',
    "[servers.everything]",
    command(installed("@modelcontextprotocol/server-everything/dist/index.js"), "stdio"),
    "[servers.files]",
    command(installed("@modelcontextprotocol/server-filesystem/dist/index.js"), notes),
    'mode = "shared"',
    "[servers.files.scopes]",
    '"files:write" = ["write_*", "edit_*", "create_*", "move_*"]',
    "",
  ].join("\n");
  appliance = await startFixture({ config });
});
after(async () => {
  await appliance?.stop();
  await folder?.remove();
});

const at = (name) => ({ url: `${appliance.url}/mcp/${name}`, token: appliance.personalToken });

describe("conformance, check by check", () => {
  const alone = new Map();
  const direct = (revision) => {
    if (!alone.has(revision)) alone.set(revision, checksAlone(revision));
    return alone.get(revision);
  };
  for (const [server, revisions] of Object.entries(differences)) {
    for (const [revision, expected] of Object.entries(revisions)) {
      test(`${server}: ${revision} is the same over HTTP alone and on pipes behind Keyward`, async (context) => {
        const proxy = await bearerProxy({ target: at(server).url, token: appliance.personalToken });
        const output = join(folder.path, `${server}-${revision}`);
        try {
          const through = await serverChecks({ url: proxy.url, revision, output });
          const { alike, different } = assertAlike((await direct(revision)).checks, through.checks, expected);
          context.diagnostic(`${alike} checks alike, ${different} different for a reason`);
        } finally {
          proxy.close();
        }
      });
    }
  }
});

/** What the suite says of the fixtures over HTTP without Keyward. */
async function checksAlone(revision) {
  const upstream = await startUpstream(process.execPath, [fixtureServer, "http"]);
  try {
    const url = upstream.url.replace("127.0.0.1", "localhost");
    const direct = await serverChecks({ url, revision, output: join(folder.path, `${revision}-direct`) });
    assert.deepEqual(failing(direct.checks), [], `the fixture server itself\n${direct.printed}`);
    return direct;
  } finally {
    await upstream.stop();
  }
}

for (const [name, connect] of CALLERS) {
  test(`${name}: lists, calls, long stream, cancellation, elicitation and sampling`, async () => {
    await everyJourney(await connect(at("fixtures")));
  });

  test(`${name}: server-everything lists, calls, reports progress and asks`, async () => {
    const { client, call } = await connect(at("everything"));
    const { tools } = await client.listTools();
    const names = tools.map((tool) => tool.name);
    for (const expected of ["echo", "get-sum", "trigger-long-running-operation"]) assert.ok(names.includes(expected), `${names}`);
    assert.match(said(await call("echo", { message: "Grüße" })), /Grüße/);
    assert.match(said(await call("get-sum", { a: 40, b: 2 })), /42/);
    const steps = [];
    const onprogress = ({ progress }) => steps.push(progress);
    await call("trigger-long-running-operation", { duration: 1, steps: 4 }, { onprogress });
    assert.deepEqual(steps, [1, 2, 3, 4]);
    const { prompts } = await client.listPrompts();
    assert.ok(prompts.length > 0);
    const { resources } = await client.listResources();
    assert.ok(resources.length > 0);
    const sampled = said(await call("trigger-sampling-request", { prompt: "Say something", maxTokens: 20 }));
    assert.ok(sampled.includes(SAMPLE), sampled);
    assert.equal(JSON.stringify(await call("get-env")).includes("KEYWARD"), false, "nothing of Keyward's environment");
    await client.close();
  });

  test(`${name}: server-filesystem writes and reads, in its folder only`, async () => {
    const { client, call } = await connect(at("files"));
    const path = join(notes, `${name}.txt`);
    await call("write_file", { path, content: `Written by ${name}` });
    assert.equal(await readFile(path, "utf8"), `Written by ${name}`);
    assert.match(said(await call("read_text_file", { path: join(notes, "first.txt") })), /The first note/);
    assert.match(said(await call("list_directory", { path: notes })), /first\.txt/);
    const refused = await call("read_text_file", { path: "/etc/hostname" });
    assert.equal(refused.isError, true, said(refused));
    await client.close();
  });
}

test("sdk 2.x pinned to 2026-07-28: a program that speaks no other era is asked, calls and asks", async () => {
  const [, connect] = CALLERS.at(-1);
  await everyJourney(await connect(at("modern-fixtures")), rootsAsked);
});

for (const [name, connect] of CALLERS.slice(0, 2)) {
  test(`${name}: a program of the session's own is told the client's roots`, async () => {
    const caller = await connect(at("own-fixtures"));
    await questions(caller);
    await rootsAsked(caller);
    await caller.client.close();
  });
}
