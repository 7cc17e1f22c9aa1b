// What a real client does at the fixture server through Keyward: the same for every transport behind it.

import { strict as assert } from "node:assert";
import { setTimeout as pause } from "node:timers/promises";
import { said } from "./agent.js";
import { ANSWER, SAMPLE } from "./callers.js";

const ABANDONED_WITHIN_MS = 5_000;

/** Lists, calls, reads and completes. */
export async function plainCalls({ client, call }) {
  const { tools } = await client.listTools();
  assert.ok(tools.some((tool) => tool.name === "test_simple_text"), said({ content: tools }));
  assert.match(said(await call("test_simple_text")), /simple text response/);
  const failed = await call("test_error_handling");
  assert.equal(failed.isError, true);
  assert.match(said(failed), /intentionally returns an error/);
  const { resources } = await client.listResources();
  assert.ok(resources.length >= 3);
  const read = await client.readResource({ uri: "test://template/7/data" });
  assert.match(read.contents[0].text, /"id":"7"/);
  const prompt = await client.getPrompt({ name: "test_prompt_with_arguments", arguments: { arg1: "one", arg2: "two" } });
  assert.match(prompt.messages[0].content.text, /'one'.*'two'/);
  const { completion } = await client.complete({
    ref: { type: "ref/prompt", name: "test_prompt_with_arguments" },
    argument: { name: "arg1", value: "p" },
  });
  assert.deepEqual(completion.values, ["paris"]);
}

/** Progress reaches the client while the call runs, all of it and in order. */
export async function longStream({ call }) {
  const steps = 100;
  const seen = [];
  const result = await call("count_slowly", { steps, wait_ms: 15 }, {
    onprogress: ({ progress }) => seen.push({ progress, at: performance.now() }),
  });
  assert.match(said(result), /Counted 100 steps/);
  assert.deepEqual(seen.map(({ progress }) => progress), Array.from({ length: steps + 1 }, (_, step) => step));
  const spread = seen.at(-1).at - seen[0].at;
  assert.ok(spread > 1_000, `progress was held back: all of it came within ${spread} ms`);
}

/** Everything that a client does with the fixtures wherever they are served; then it leaves. */
export async function everyJourney(caller, ...further) {
  for (const journey of [plainCalls, longStream, questions, ...further, cancellation]) await journey(caller);
  await caller.client.close();
}

/** A client that gives up ends the work at the server. */
export async function cancellation({ call }) {
  const count = async () => Number((await call("count_abandoned")).content[0].text);
  const before = await count();
  const controller = new AbortController();
  const running = call("count_slowly", { steps: 1_000, wait_ms: 20 }, {
    signal: controller.signal,
    onprogress: ({ progress }) => progress >= 0.3 && controller.abort(new Error("changed my mind")),
  });
  await assert.rejects(running, /changed my mind|abort|cancel/i);
  const end = performance.now() + ABANDONED_WITHIN_MS;
  while ((await count()) === before) {
    assert.ok(performance.now() < end, "the server was not told that its client gave up");
    await pause(50);
  }
}

/** The server asks the client in the middle of a call, and gets its answers. */
export async function questions({ call }) {
  const elicited = said(await call("test_elicitation", { message: "Who are you?" }));
  assert.ok(elicited.includes("action=accept") && elicited.includes(ANSWER.username), elicited);
  const sampled = said(await call("test_sampling", { prompt: "Say something" }));
  assert.ok(sampled.includes(SAMPLE), sampled);
}

/** The server asks for the client's roots, and gets them. */
export async function rootsAsked({ call }) {
  const rooted = said(await call("test_input_required_result_list_roots"));
  assert.ok(rooted.includes("file:///interop"), rooted);
}
