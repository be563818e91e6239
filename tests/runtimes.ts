// The runtimes that the scripts are promised on, and what a test does where
// one, or anything else that it needs, cannot be had.

import { spawnSync } from "node:child_process";
import process from "node:process";
import { describe } from "node:test";

export interface Runtime {
  name: string;
  command: string[]; // The path of a script comes behind it.
  skip: string | false; // why it cannot be had here, if so
}

/**
 * For the `skip` of a test: false where it can run, or else the reason why it
 * cannot. With NO_SKIPS in the environment, as CI has it, that is an error.
 */
export function unless(canRun: boolean, reason: string): string | false {
  if (canRun) return false;
  if (process.env.NO_SKIPS) throw new Error(`NO_SKIPS is set, but ${reason}`);
  return reason;
}

/** Whether this command runs here, and ends with exit code 0. */
export function runs(command: string, ...args: string[]): boolean {
  return spawnSync(command, args).status === 0;
}

/** For `skip`, the same for a command that must be there. */
function without(command: string): string | false {
  return unless(runs(command, "--version"), `${command} is not installed`);
}

export const linux = unless(process.platform === "linux", "it needs Linux");
export const posix = unless(process.platform !== "win32", "it needs signals");
export const python = () => without("python3");
const openbsd = () => runs("sh", "-c", "nc -h 2>&1 | grep -q OpenBSD");
export const netcat = () => unless(openbsd(), "there is no nc of OpenBSD's");

/** Node alone: the one that PLAIN_NODE names, or the one that runs the tests. */
const node = process.env.PLAIN_NODE || process.execPath;
const typed = runs(
  node,
  "-e",
  "process.features.typescript || process.abort()",
);
const loadsTsx = [process.execPath, "--import", "tsx/esm"];

export const tsx: Runtime = { name: "tsx", command: loadsTsx, skip: false };
export const runtimes: Runtime[] = [
  tsx,
  { name: "node", command: [node], skip: unless(typed, "Node is below 22.18") },
  { name: "deno", command: ["deno", "run", "-A"], skip: without("deno") },
  { name: "bun", command: ["bun"], skip: without("bun") },
];

/** Has the same tests for each runtime. */
export function onEach(what: string, tests: (runtime: Runtime) => void) {
  for (const runtime of runtimes) {
    const { name, skip } = runtime;
    describe(`${what} on ${name}`, { skip }, () => tests(runtime));
  }
}
