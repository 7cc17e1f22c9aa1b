// Are the conformance suite's results through Keyward those of the same server without Keyward?

import { strict as assert } from "node:assert";

/**
 * Fails unless every check of every scenario ended alike, but for those that `expected` lists.
 *
 * `expected` has entries `{ reason, checks: { "scenario/check": [direct, through] } }`; what is not true any more fails
 * too. Returns how many checks ended alike and otherwise.
 */
export function assertAlike(direct, through, expected) {
  const known = new Map(expected.flatMap(({ checks }) => Object.entries(checks)));
  const lines = [];
  let alike = 0;
  let different = 0;
  for (const scenario of new Set([...direct.keys(), ...through.keys()])) {
    const one = endings(direct.get(scenario));
    const other = endings(through.get(scenario));
    for (const check of new Set([...one.keys(), ...other.keys()])) {
      const key = `${scenario}/${check}`;
      const [alone, guarded] = [one.get(check), other.get(check)].map((ending) => ending?.statuses.join(" ") ?? "none");
      const listed = known.get(key);
      known.delete(key);
      if (listed === undefined && alone === guarded) alike += one.get(check).statuses.length;
      else if (listed?.[0] === alone && listed[1] === guarded) different += 1;
      else lines.push(`${key}: ${alone} direct, ${guarded} through Keyward (${other.get(check)?.words ?? ""})`);
    }
  }
  for (const key of known.keys()) lines.push(`${key}: is listed as a difference and was not seen`);
  assert.deepEqual(lines, [], lines.join("\n"));
  return { alike, different };
}

/** What failed, the extension for tasks apart: the SDK does not have it, so the fixture server does not offer it. */
export function failing(checks) {
  return [...checks]
    .filter(([scenario]) => !scenario.startsWith("tasks-"))
    .flatMap(([scenario, made]) => made.map((check) => ({ scenario, ...check })))
    .filter(({ status }) => status === "FAILURE")
    .map(({ scenario, id, errorMessage }) => `${scenario}/${id}: ${errorMessage}`);
}

/** How each check of a scenario ended; one that was made several times, each time. */
function endings(checks = []) {
  const found = new Map();
  for (const { id, status, errorMessage } of checks) {
    const ending = found.get(id) ?? { statuses: [], words: "" };
    ending.statuses.push(status);
    if (errorMessage) ending.words += `${errorMessage}; `;
    found.set(id, ending);
  }
  return found;
}
