// What the tests share: runtimes, processes and what they print, connections.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import process from "node:process";
import type { Readable } from "node:stream";
import { describe, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
export const OK = "OKay got it"; // what server.ts replies
export const MAX = 1024; // the most bytes of a message

/** For `skip`: the reason why a test cannot run here. NO_SKIPS throws it. */
export function unless(canRun: boolean, reason: string): string | false {
  if (canRun) return false;
  if (process.env.NO_SKIPS) throw new Error(`NO_SKIPS is set, but ${reason}`);
  return reason;
}

/** Returns the version that a command prints, or "" if it is missing. */
function version(command: string, ...args: string[]): string {
  const { stdout } = spawnSync(command, args, { encoding: "utf8" });
  return stdout?.match(/\d+\.\d+\.\d+/)?.[0] ?? "";
}
const needs = (name: string, version: string) =>
  unless(version !== "", `${name} is missing`);
const windows = process.platform === "win32";
const nc = version("sh", "-c", "nc -h 2>&1 | grep -q OpenBSD && echo 0.0.0");
export const noShell = unless(!windows, "Windows has no sh and no signals");
export const noPython = noShell || needs("Python", version("python3", "-V"));
export const noNetcat = noShell || needs("OpenBSD's nc", nc);

/** Describes a runtime. Its version is "" if it is missing. */
function runtime(name: string, version: string, command: string[]) {
  return {
    name: `${name} ${version}`,
    command,
    skip: needs(name, version),
  };
}
const node = process.env.PLAIN_NODE || process.execPath;
const strip = "if (process.features.typescript) console.log(process.version)";
export const runtimes = [
  runtime("tsx on Node", process.versions.node, [
    process.execPath,
    "--import",
    "tsx/esm",
  ]),
  runtime("Node 22.18+", version(node, "-e", strip), [node]),
  runtime("Deno", version("deno", "-v"), ["deno", "run", "-A"]),
  runtime("Bun", version("bun", "-v"), ["bun"]),
];
type Runtime = typeof runtimes[number];

/** Defines the same tests for each runtime. */
export function onEach(what: string, tests: (runtime: Runtime) => void) {
  for (const runtime of runtimes) {
    const options = { skip: runtime.skip, concurrency: 3 };
    describe(`${what} on ${runtime.name}`, options, () => tests(runtime));
  }
}

/** Waits until `look` finds something, and returns that, or throws. */
async function until<T>(
  what: string,
  look: () => T | null | false,
  seconds = 30,
) {
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    const found = look();
    if (found) return found;
    await pause(5);
  }
  throw new Error(`${what} has not come within ${seconds} s`);
}

/** What has come from a stream so far. */
class Output {
  text = "";
  ended = false;

  constructor(stream: Readable) {
    stream.setEncoding("utf8");
    stream.on("data", (text) => this.text += text);
    stream.on("end", () => this.ended = true);
    stream.on("close", () => this.ended = true);
    stream.on("error", () => {}); // "close" follows.
  }

  /** Waits until the stream has ended; returns all that came. */
  async all(): Promise<string> {
    await until("the end of the output", () => this.ended);
    return this.text;
  }
}

const environment = {
  ...process.env,
  HOST: "x86_64-conda-linux-gnu", // Conda sets this. It means nothing here.
  PORT: "0", // any free port
  // What else a person, or the test runner, has set is not for the scripts.
  SERVER_IP: undefined,
  NO_COLOR: undefined,
  FORCE_COLOR: undefined,
  NODE_OPTIONS: undefined,
  NODE_TEST_CONTEXT: undefined,
};

// It ends what a test run leaves behind if the run itself is killed.
const guard = spawn(process.execPath, ["tests/guard.js"], {
  cwd: root,
  stdio: ["pipe", "ignore", "ignore"],
  env: {},
  detached: true, // Ctrl-C in the terminal is not for the guard.
});
guard.unref();
(guard.stdin as Socket).unref();

export interface Options {
  env?: Record<string, string | undefined>;
  cwd?: string;
  before?: readonly string[]; // what stands ahead of the command
}

/** Starts a command, or a line of a shell, that ends with the test. */
export function start(
  t: TestContext,
  command: string | string[],
  { env = {}, cwd = root, before = [] }: Options = {},
) {
  const words = typeof command === "string" ? ["sh", "-c", command] : command;
  const [name = "", ...args] = [...before, ...words];
  const child = spawn(name, args, {
    cwd,
    // c8 cannot add up the coverage of a file that two runtimes translate.
    env: words.includes("tsx/esm")
      ? { ...environment, ...env }
      : { ...environment, NODE_V8_COVERAGE: "", ...env },
    detached: !windows, // a process group of its own, since npx has children
  });
  assert(child.pid, `${name} does not start`);
  const id = windows ? child.pid : -child.pid; // -: the whole group
  const stdout = new Output(child.stdout);
  const stderr = new Output(child.stderr);
  let code: number | string | undefined; // a string if a signal has ended it
  guard.stdin?.write(`start ${id}\n`);
  child.on("close", (number, signal) => {
    guard.stdin?.write(`end ${id}\n`);
    code = number ?? signal ?? "";
  });

  /** Waits until the process has ended. */
  const ended = async (seconds = 30) => {
    await until("the end of the process", () => code !== undefined, seconds);
    return { stdout: stdout.text, stderr: stderr.text, code };
  };

  /** Waits until `look` finds something. Throws if the process ends before. */
  const finds = <T>(what: string, look: () => T | null) =>
    until(what, () => {
      const found = look();
      assert(found || code === undefined, `it has ended without ${what}`);
      return found;
    });

  /** Waits until `text` stands in what has been printed. */
  const shows = (text: string) =>
    finds(text, () => (stdout.text + stderr.text).includes(text) || null);

  /** Waits until a server says where it listens; returns the port. */
  const listening = async () => {
    const said = /^listening on \('.+', (\d+)\)\n/m;
    const [, port = ""] = await finds("a port", () => stderr.text.match(said));
    return port;
  };

  t.after(async () => {
    if (code === undefined) process.kill(id, "SIGKILL");
    await ended();
    if ("passed" in t && t.passed) return; // Its type is newer than Node 20's.
    t.diagnostic(`${Object.entries(env).map((pair) => pair.join("=")).join(" ")}
${[...before, ...words].join(" ")}
ended with ${code}; standard output:
${shortened(stdout.text)}
standard error:
${shortened(stderr.text)}`);
  });
  return { child, stdout, stderr, ended, finds, shows, listening };
}

/** Returns at most 1,000 characters, the first and the last. */
const shortened = (text: string) =>
  text.length > 1000 ? `${text.slice(0, 500)} [...] ${text.slice(-500)}` : text;

/** Returns the test's side of a connection. */
function peer(socket: Socket) {
  socket.setNoDelay(true); // Each write is a segment of its own.
  const output = new Output(socket);
  const addr = `('${socket.localAddress}', ${socket.localPort})`;

  /** Sends bytes. Waits until they have left, or the connection is gone. */
  const send = (bytes: string | Uint8Array) =>
    new Promise((resolve) => socket.write(bytes, resolve));
  const end = (bytes: string | Uint8Array = "") => socket.end(bytes);
  const reset = () => socket.resetAndDestroy();

  /** Waits until the other side has closed; returns all that it had sent. */
  const closed = async () => {
    await until("the end of the connection", () => {
      // To write to a closed connection resets it.
      if (output.ended && socket.writable) socket.write("x");
      return socket.closed;
    });
    return output.text;
  };
  return { socket, output, addr, send, end, reset, closed };
}
export type Peer = ReturnType<typeof peer>;

/** Connects to `port`. Either side may finish sending before the other. */
export async function open(port: string): Promise<Peer> {
  const socket = connect({
    port: Number(port),
    host: "127.0.0.1",
    allowHalfOpen: true,
  });
  await once(socket, "connect");
  return peer(socket);
}

/** Listens on a free port, as a server for client.ts. */
export async function listen(t: TestContext) {
  const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  t.after(() => server.close());
  const peers: Peer[] = [];
  server.on("connection", (socket) => peers.push(peer(socket)));
  await once(server, "listening");
  const address = server.address();
  assert(address instanceof Object);
  return { port: `${address.port}`, peers };
}
