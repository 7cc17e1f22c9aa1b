// Do people get where they want to, in a real browser, with JavaScript and without it?
//
// No page may log an error or break its own Content-Security-Policy. keyboard.test.js tells the same journeys by keys.

import { after, before, test } from "node:test";
import { journeys } from "./journeys/index.js";
import { openChromium, withPerson } from "./support/chromium.js";

let browser;
before(async () => {
  browser = await openChromium();
});
after(() => browser?.close());

for (const javaScript of [true, false]) {
  for (const [title, journey] of Object.entries(journeys)) {
    test(`${title}, ${javaScript ? "with" : "without"} JavaScript`, () =>
      journey((act) => withPerson(browser, { javaScript }, act)));
  }
}
