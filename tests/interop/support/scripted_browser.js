// The browser that command-line clients open: a script that hands the URL to a person who decides by HTTP.

import { once } from "node:events";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { delimiter, join } from "node:path";

/**
 * Puts an `xdg-open` into the folder `bin`. `env` makes a client find it first; `opened` holds, for each URL that was
 * opened, the promise of the callback that the person was sent to, or of the error on the way.
 */
export async function scriptedBrowser(bin, person) {
  const opened = [];
  const hand = createServer((request, response) => {
    const url = new URL(request.url, "http://127.0.0.1").searchParams.get("url");
    response.end();
    opened.push(person.decideAndReturn(url).catch((error) => error));
  });
  hand.listen(0, "127.0.0.1");
  await once(hand, "listening");
  hand.unref();
  await mkdir(bin, { recursive: true });
  const script = join(bin, "xdg-open");
  const give = `http://127.0.0.1:${hand.address().port}/?url=`;
  await writeFile(join(bin, "package.json"), '{ "type": "module" }\n');
  await writeFile(script, `#!${process.execPath}\nawait fetch("${give}" + encodeURIComponent(process.argv[2]));\n`);
  await chmod(script, 0o755);
  const env = { PATH: `${bin}${delimiter}${process.env.PATH}`, BROWSER: script };
  return { opened, env, close: () => hand.close() };
}
