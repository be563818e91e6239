// The runtimes that the scripts are promised on, and what a test does where
// one, or anything else that it needs, cannot be had.

import { spawnSync } from "node:child_process";
import process from "node:process";

export interface Runtime {
  name: string;
  /** What starts a script: the script's path comes behind it. */
  command: string[];
  /** The option that loads a module ahead of the script. */
  preload: string;
  /** Why the runtime cannot be had here, or false where it can. */
  skip: string | false;
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

const { platform } = process;
export const linux = unless(platform === "linux", "this counts on Linux");
export const posix = unless(platform !== "win32", "Windows has no signals");
export const python = unless(runs("python3", "-V"), "python3 is not installed");
export const nc = unless(
  runs("sh", "-c", "nc -h 2>&1 | grep -q OpenBSD"),
  "nc is not installed, or not the one of netcat-openbsd",
);

export const tsx: Runtime = {
  name: "tsx",
  command: [process.execPath, "--import", "tsx/esm"],
  preload: "--import",
  skip: false,
};

/** Node alone: the one that PLAIN_NODE names, or the one that runs the tests. */
const node = process.env.PLAIN_NODE || process.execPath;

export const runtimes: Runtime[] = [
  tsx,
  {
    name: "node",
    command: [node],
    preload: "--import",
    skip: unless(
      runs(node, "-e", "process.exit(process.features.typescript ? 0 : 1)"),
      "this Node runs no TypeScript by itself (22.18 or later does)",
    ),
  },
  {
    name: "deno",
    command: ["deno", "run", "-A"],
    preload: "--preload",
    skip: unless(runs("deno", "--version"), "Deno is not installed"),
  },
  {
    name: "bun",
    command: ["bun"],
    preload: "--preload",
    skip: unless(runs("bun", "--version"), "Bun is not installed"),
  },
];
