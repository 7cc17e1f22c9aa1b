// An authenticator app: shows the codes of RFC 6238 for a key.

import { createHmac } from "node:crypto";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The code of a key in base 32, in `steps` steps of 30 seconds from now. */
export function code(key, steps = 0) {
  const bits = [...key.replaceAll(" ", "")].map((letter) => ALPHABET.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const secret = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = createHmac("sha1", secret).update(counter).digest();
  const word = mac.readUInt32BE(mac[19] & 0xf) & 0x7fff_ffff;
  return String(word % 1_000_000).padStart(6, "0");
}

/** The key that the page for adding an app offers as text. */
export async function keyOn(page) {
  return (await page.locator("#secret").textContent()).trim();
}

/** The recovery codes on the page that shows them. */
export async function recoveryCodesOn(page) {
  return (await page.locator("#codes").textContent()).trim().split(/\s+/);
}
