// Are the conformance suite's results through Keyward those of the same server without Keyward?

import { strict as assert } from "node:assert";

/**
 * Fails unless every check of every scenario ended alike, but for those that `expected` lists.
 *
 * `expected` has entries `{ scenario, check, direct, through, reason }`; an entry that is not true any more fails too.
 * Returns the number of checks that ended alike.
 */
export function assertAlike(direct, through, expected) {
  const known = new Map(expected.map((entry) => [`${entry.scenario}/${entry.check}`, entry]));
  const lines = [];
  let alike = 0;
  for (const scenario of new Set([...direct.keys(), ...through.keys()])) {
    const one = endings(direct.get(scenario));
    const other = endings(through.get(scenario));
    for (const check of new Set([...one.keys(), ...other.keys()])) {
      const key = `${scenario}/${check}`;
      const [alone, guarded] = [one.get(check), other.get(check)].map((ending) => ending?.statuses.join(" ") ?? "none");
      const entry = known.get(key);
      known.delete(key);
      if (entry !== undefined ? entry.direct === alone && entry.through === guarded : alone === guarded) {
        alike += entry === undefined ? one.get(check).statuses.length : 0;
      } else {
        lines.push(`${key}: ${alone} direct, ${guarded} through Keyward (${other.get(check)?.words ?? ""})`);
      }
    }
  }
  for (const key of known.keys()) lines.push(`${key}: is listed as a difference and was not seen`);
  assert.deepEqual(lines, [], lines.join("\n"));
  return alike;
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
