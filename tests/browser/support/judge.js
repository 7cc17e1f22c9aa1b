// Is what the tab shows fit to be shown?
//
// It must not scroll sideways, jump while it comes, weigh too much, load anything from elsewhere, or have a finding of
// axe-core. With KEYWARD_SCREENSHOTS naming a folder, it is saved there to be looked at.

import { strict as assert } from "node:assert";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { picture } from "./chromium.js";

const axeFile = await readFile(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");

/** A page and everything that it loads, uncompressed. */
const MOST_BYTES = 60_000;
/** Of the window, times how far: a line of small print that goes is less. */
const MOST_JUMP = 0.01;

/** Opens each page and gathers every finding before failing, so that one run tells all. */
export async function judge(page, pages, lookName) {
  const findings = [];
  // Cheaper than sending it to each page.
  await page.addInitScript(axeFile);
  for (const [name, [route, open]] of Object.entries(pages)) {
    try {
      await open(page);
      await picture(page, `${name}-${lookName}`);
      const { pathname } = new URL(page.url());
      if (!leadsTo(route, pathname)) findings.push(`${name}: is at ${pathname} and not at ${route}`);
      findings.push(...(await faults(page)).map((fault) => `${name}: ${fault}`));
    } catch (error) {
      findings.push(`${name} at ${page.url()}: ${error.message}`);
    }
  }
  assert.deepEqual(findings, [], findings.join("\n"));
}

/** Whether a path is one of the route's. */
export function leadsTo(route, path) {
  const pattern = route.replaceAll(/[.]/g, "\\.").replaceAll(/\{[^}]+\}/g, "[^/]+");
  return new RegExp(`^${pattern}$`).test(path);
}

/** What is wrong with what the tab shows. */
export async function faults(page) {
  const found = [];
  const { scroll, width, bytes, elsewhere, jumps } = await page.evaluate(async () => {
    const shifts = [];
    new PerformanceObserver((list) => shifts.push(...list.getEntries())).observe({ type: "layout-shift", buffered: true });
    for (let frame = 0; frame < 2; frame += 1) await new Promise((next) => requestAnimationFrame(next));
    const loaded = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    return {
      scroll: document.documentElement.scrollWidth,
      width: document.documentElement.clientWidth,
      bytes: loaded.reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0),
      elsewhere: loaded.map(({ name }) => name).filter((url) => !url.startsWith(location.origin)),
      // What moves because somebody pressed something is no jump.
      jumps: shifts.filter(({ hadRecentInput }) => !hadRecentInput).reduce((sum, { value }) => sum + value, 0),
    };
  });
  if (scroll > width) found.push(`scrolls sideways: ${scroll} px in a window of ${width} px`);
  if (jumps > MOST_JUMP) found.push(`jumps by ${jumps}`);
  if (bytes > MOST_BYTES) found.push(`weighs ${bytes} bytes`);
  if (elsewhere.length > 0) found.push(`loads ${elsewhere}`);
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(axeFile);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, help, nodes } of violations) {
    found.push(`${id}: ${help}: ${nodes.map(({ html }) => html).slice(0, 3).join(" ")}`);
  }
  return found;
}
