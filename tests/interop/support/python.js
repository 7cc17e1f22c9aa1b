// The Python interpreter that has `python/requirements.txt` installed; KEYWARD_PYTHON names another one.

import { strict as assert } from "node:assert";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const python =
  process.env.KEYWARD_PYTHON ?? fileURLToPath(new URL("../../../target/ci-tools/python/bin/python", import.meta.url));

/** Says what to do if it is not there. */
export function assertPython() {
  assert.ok(existsSync(python), `no ${python}: make a virtual environment with python/requirements.txt there`);
}
