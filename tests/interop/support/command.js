// Runs a command-line client to its end and keeps what it printed.

import { spawn } from "node:child_process";

if (Number(process.versions.node.split(".")[0]) < 22) {
  throw new Error(`Node ${process.version} is too old for these clients; "npm test" runs the pinned one`);
}

/**
 * Ends with `{ code, stdout, stderr }`; throws with all that was printed if `withinMs` passes first.
 *
 * `onOutput` sees all output so far, each time there is more.
 */
export function runToEnd(command, args, { env = {}, cwd, withinMs, onOutput = () => {} }) {
  return new Promise((done, failed) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (chunk) => {
      stdout += chunk;
      onOutput(stdout + stderr);
    });
    child.stderr.setEncoding("utf8").on("data", (chunk) => {
      stderr += chunk;
      onOutput(stdout + stderr);
    });
    const limit = setTimeout(() => {
      child.kill("SIGKILL");
      failed(new Error(`not done within ${withinMs} ms: ${args.join(" ")}\n${stdout}\n${stderr}`));
    }, withinMs);
    child.once("error", (error) => {
      clearTimeout(limit);
      failed(error);
    });
    child.once("close", (code) => {
      clearTimeout(limit);
      done({ code, stdout, stderr });
    });
  });
}

/** The file of an installed package. */
export function installed(path) {
  return new URL(`../node_modules/${path}`, import.meta.url).pathname;
}
