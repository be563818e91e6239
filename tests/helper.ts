// What the tests share: runtimes, scripts as processes, and their peers.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import process from "node:process";
import type { Readable } from "node:stream";
import { describe, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));
export const OK = "OKay got it"; // what server.ts answers
export const MAX = 1024; // the most bytes of a message

/** For `skip`: why a test cannot run here, if so. NO_SKIPS makes it an error. */
export function unless(canRun: boolean, reason: string): string | false {
  if (canRun) return false;
  if (process.env.NO_SKIPS) throw new Error(`NO_SKIPS is set, but ${reason}`);
  return reason;
}
const needs = (what: string, name: string, ...args: string[]) =>
  unless(spawnSync(name, args).status === 0, `${what} is missing`);
const grep = "nc -h 2>&1 | grep -q OpenBSD";
const windows = process.platform === "win32";
export const posix = unless(!windows, "Windows has no sh and no signals");
export const python = posix || needs("Python", "python3", "--version");
export const netcat = posix || needs("OpenBSD's nc", "sh", "-c", grep);

const node = process.env.PLAIN_NODE || process.execPath;
const strips = "process.features.typescript || nope";
const old = needs("Node 22.18 or later", node, "-e", strips);
const [deno, bun] = ["deno", "bun"].map((name) => needs(name, name, "-v"));
export const tsx = [process.execPath, "--import", "tsx/esm"];
export const runtimes = [
  { name: "tsx", command: tsx, skip: false },
  { name: "node", command: [node], skip: old },
  { name: "deno", command: ["deno", "run", "-A"], skip: deno },
  { name: "bun", command: ["bun"], skip: bun },
];
export type Runtime = typeof runtimes[number];

/** Has the same tests for each runtime. */
export function onEach(what: string, tests: (runtime: Runtime) => void) {
  for (const runtime of runtimes) {
    const options = { skip: runtime.skip, concurrency: 3 };
    describe(`${what} on ${runtime.name}`, options, () => tests(runtime));
  }
}

/** Waits until `look` finds something, and gives that. Throws after 20 s. */
export async function until<T>(what: unknown, look: () => T | null | false) {
  for (const end = Date.now() + 20_000; Date.now() < end; await pause(5)) {
    const found = look();
    if (found) return found;
  }
  throw new Error(`${what} has not come within 20 s`);
}

/** What has come from a stream so far. */
export class Output {
  text = "";
  ended = false;

  constructor(stream: Readable) {
    stream.setEncoding("utf8").on("data", (text) => this.text += text);
    stream.on("end", () => this.ended = true);
    stream.on("close", () => this.ended = true);
    stream.on("error", () => {}); // "close" follows.
  }

  /** Waits until `pattern` matches what has come. */
  match(pattern: RegExp): Promise<RegExpMatchArray> {
    return until(pattern, () => {
      const found = this.text.match(pattern);
      assert(found || !this.ended, `it has ended without ${pattern}`);
      return found;
    });
  }

  /** Waits until the stream has ended; gives all that came. */
  async all(): Promise<string> {
    await until("the end of the output", () => this.ended);
    return this.text;
  }
}

// Ends what runs longer than this process. It is told each start and each end.
const guard = spawn(process.execPath, [
  "-e",
  `let ids = "";
  process.stdin.on("data", (text) => ids += text).on("end", () => {
    for (const id of ids.match(/<-?\\d+>/g) ?? []) if (ids.split(id).length === 2)
      try { process.kill(id.slice(1, -1), "SIGKILL") } catch {}
  });`,
], { stdio: ["pipe", "ignore", "ignore"], env: {}, detached: true });
guard.unref();
(guard.stdin as Socket).unref();

export interface Options {
  env?: Record<string, string>;
  cwd?: string;
  closed?: boolean; // Nobody reads what it prints.
  before?: string[]; // what stands ahead of the command
}

/** Starts a command, or a line of a shell, that ends with the test. */
export function start(
  t: TestContext,
  command: string | string[],
  { env: more, cwd = root, closed, before = [] }: Options = {},
) {
  if (typeof command === "string") command = ["sh", "-c", command];
  const [name = "", ...args] = [...before, ...command];
  // What a person has set is not for the scripts, and HOST means nothing. c8
  // cannot add up the coverage of a file that two runtimes translate.
  const env: NodeJS.ProcessEnv = { ...process.env, HOST: "conda", PORT: "0" };
  const own = "SERVER_IP NO_COLOR FORCE_COLOR NODE_OPTIONS NODE_TEST_CONTEXT";
  for (const name of own.split(" ")) delete env[name];
  if (!command.includes("tsx/esm")) env.NODE_V8_COVERAGE = "";
  const child = spawn(name, args, {
    cwd,
    env: { ...env, ...more },
    detached: !windows, // a process group of its own, since npx has children
  });
  assert(child.pid, `${name} does not start`);
  const id = windows ? child.pid : -child.pid;
  const stdout = new Output(child.stdout);
  const stderr = new Output(child.stderr);
  if (closed) child.stdout.destroy();
  let code: number | string | undefined; // a string if a signal has ended it
  guard.stdin?.write(`<${id}>`);
  child.on("close", (number, signal) => {
    guard.stdin?.write(`<${id}>`);
    code = number ?? signal ?? "";
  });
  /** Waits until the process has ended. */
  const ended = async () => {
    await until("the end of the process", () => code !== undefined);
    return { stdout: stdout.text, stderr: stderr.text, code };
  };
  t.after(async () => {
    if (code === undefined) process.kill(id, "SIGKILL");
    await ended();
    if ("passed" in t && t.passed) return;
    t.diagnostic(`${command}
standard output:\n${stdout.text}\nstandard error:\n${stderr.text}`);
  });
  return { child, stdout, stderr, ended };
}

/** The command for a script. preload.ts says what WAITS and FAULT in `env` do. */
export function script({ name, command }: Runtime, ...words: string[]) {
  const preload = /deno|bun/.test(name) ? "--preload" : "--import";
  return [...command, preload, "./tests/preload.ts", ...words];
}

/** Waits until a server says where it listens; gives the port. */
export async function listening({ stderr }: { stderr: Output }) {
  const said = await stderr.match(/^listening on \('.+', (\d+)\)\n/m);
  return Number(said[1]);
}

/** The test's side of a connection. */
function peer(socket: Socket) {
  socket.setNoDelay(true); // Each write is a segment.
  const output = new Output(socket);
  const addr = `('${socket.localAddress}', ${socket.localPort})`;
  /** Sends bytes, and waits until they have left, or the connection is gone. */
  const send = (bytes: string | Uint8Array) =>
    new Promise<unknown>((resolve) => socket.write(bytes, resolve));
  const end = (bytes: string | Uint8Array = "") => socket.end(bytes);
  const reset = () => socket.resetAndDestroy();
  /** Waits until the other side has hung up; gives what it had sent. */
  const dropped = async () => {
    await until("the end of the connection", () => {
      if (output.ended && socket.writable) socket.write("x"); // It is reset.
      return socket.closed;
    });
    return output.text;
  };
  return { socket, output, addr, send, end, reset, dropped };
}
export type Peer = ReturnType<typeof peer>;

/** Connects to `port`. Either side may finish sending before the other. */
export async function open(port: number): Promise<Peer> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
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
  const next = () => until("a client", () => peers.shift() ?? null);
  return { port: address.port, peers, next };
}
