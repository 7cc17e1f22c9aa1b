// Is every state of every page fit to be shown? The samples of all views, also of states that are hard to come to.
//
// KEYWARD_SAMPLES names the folder into which `cargo test --lib web::samples` has written them.

import { strict as assert } from "node:assert";
import { once } from "node:events";
import { readFile, readdir } from "node:fs/promises";
import { createServer } from "node:http";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { looks, openChromium, withPerson } from "./support/chromium.js";
import { judge } from "./support/judge.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = resolve(process.env.KEYWARD_SAMPLES ?? join(root, "target/samples"));
const KINDS = { html: "text/html; charset=utf-8", css: "text/css", js: "text/javascript", svg: "image/svg+xml" };

let browser;
let server;
let origin;
before(async () => {
  browser = await openChromium();
  server = createServer(async ({ url }, response) => {
    // The style sheet and the script stand under the hash of what is in them.
    const asset = url.match(/^\/assets\/(.+)\.[0-9a-f]{16}(\.\w+)$/);
    const file = asset ? join(root, "assets", asset[1] + asset[2]) : join(folder, url);
    const body = await readFile(file).catch(() => undefined);
    response.writeHead(body ? 200 : 404, { "content-type": KINDS[url.split(".").at(-1)] ?? "text/plain" });
    response.end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  origin = `http://127.0.0.1:${server.address().port}`;
});
after(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
});

/** A sample's token has no address at which to ask whether it was used, and one sample has a day that is none. */
const forgiven = /status of 404|does not conform to the required format/;

const statesIn = async () => (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".html"));

test("no state of a page scrolls sideways, also between the looks", () =>
  withPerson(browser, {}, async ({ page, forgive }) => {
    forgive(forgiven);
    const found = [];
    for (const name of await statesIn()) {
      await page.goto(`${origin}/${name}`);
      for (const width of [320, 600, 930, 1160]) {
        await page.setViewportSize({ width, height: 900 });
        const over = await page.evaluate(({ scrollWidth, clientWidth } = document.documentElement) => scrollWidth - clientWidth);
        if (over > 0) found.push(`${name} by ${over} px at ${width} px`);
      }
    }
    assert.deepEqual(found, []);
  }));

for (const [lookName, look] of [["light", looks.light], ["phone-dark", { ...looks.phone, colorScheme: "dark" }]]) {
  test(`every state of every page, ${lookName}`, async () => {
    const names = await statesIn();
    assert.ok(names.length > 100, `${folder} has no samples: KEYWARD_SAMPLES=${folder} cargo test --lib web::samples`);
    const open = (name) => (page) => page.goto(`${origin}/${name}`);
    const pages = names.map((name) => [`sample-${name.replace(".html", "")}`, [`/${name}`, open(name)]]);
    await withPerson(browser, { look }, async ({ page, forgive }) => {
      forgive(forgiven);
      await judge(page, Object.fromEntries(pages), lookName);
    });
  });
}
