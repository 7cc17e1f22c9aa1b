// A certificate authority of its own for one test run, and a certificate for loopback that it signed. Uses openssl.

import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Writes both into `folder`; returns the authority's file and what `https.createServer` needs. */
export async function loopbackCertificate(folder) {
  const at = (name) => join(folder, name);
  const openssl = (...args) => run("openssl", args, { timeout: 20_000 });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const authority = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"];
  await openssl("req", "-x509", ...key, "-subj", "/CN=Keyward interop authority", "-days", "2", ...authority,
    "-keyout", at("ca.key"), "-out", at("ca.pem"));
  await openssl("req", ...key, "-subj", "/CN=localhost", "-keyout", at("site.key"), "-out", at("site.csr"));
  await writeFile(at("site.ext"), "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n");
  await openssl("x509", "-req", "-in", at("site.csr"), "-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-CAcreateserial",
    "-days", "2", "-extfile", at("site.ext"), "-out", at("site.pem"));
  return { authority: at("ca.pem"), key: await readFile(at("site.key")), cert: await readFile(at("site.pem")) };
}
