// The plumbing of the tests: scripts as processes, bare peers on sockets, and
// waits for what they do. Nothing that is started here outlives its test file.

import assert from "node:assert/strict";
import { spawn, type StdioOptions } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import process from "node:process";
import type { Readable } from "node:stream";
import { after, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Runtime, tsx } from "./runtimes.ts";

export const root = fileURLToPath(new URL("..", import.meta.url));
export const OK = "OKay got it";

/** Kills what is still running when this process ends, even by SIGKILL. */
const guard = spawn(process.execPath, [
  "-e",
  `const ids = new Set();
   process.stdin.on("data", (text) => {
     for (const id of String(text).match(/\\d+/g)) ids.delete(id) || ids.add(id);
   }).on("end", () => {
     for (const id of ids) try { process.kill(-id, "SIGKILL") } catch {}
   });`,
], { stdio: ["pipe", "ignore", "ignore"], env: {}, detached: true });
const left = new Set<{ destroy(): void }>();
after(() => {
  for (const one of left) one.destroy();
  guard.stdin?.end();
});

/** Gives what `promise` gives, or throws after 20 s without it. */
export async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`no ${what} within 20 s`);
    timer = setTimeout(reject, 20_000, error).unref();
  });
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** What has come from a stream so far, and a way to wait for more of it. */
export class Output {
  text = "";
  ended = false;
  readonly #news = new EventEmitter().setMaxListeners(0);

  constructor(stream: Readable) {
    stream.setEncoding("utf8").on("data", (text) => this.text += text);
    for (const event of ["data", "end", "close"]) {
      stream.on(event, () => {
        this.ended ||= event !== "data";
        this.#news.emit("news");
      });
    }
    stream.on("error", () => {}); // `close` follows.
  }

  /** Waits until `look` finds something, and gives that. */
  until<T>(what: unknown, look: () => T | false | null): Promise<T> {
    const wait = async (): Promise<T> => {
      const found = look();
      if (found !== null && found !== false) return found;
      assert(!this.ended, `the output has ended without ${what}`);
      await once(this.#news, "news");
      return wait();
    };
    return within(`${what} in the output`, wait());
  }

  /** Waits until `pattern` matches what has come, from this offset on. */
  match(pattern: RegExp, from = 0): Promise<RegExpMatchArray> {
    return this.until(pattern, () => this.text.slice(from).match(pattern));
  }
}

export interface Options {
  env?: Record<string, string>;
  cwd?: string;
  stdout?: number; // a file to print to, in place of a pipe
  before?: string[]; // what stands ahead of the command
}

/** Not for the scripts under test: the settings of who runs the tests. */
const unset = "HOST PORT FORCE_COLOR NO_COLOR NODE_OPTIONS NODE_TEST_CONTEXT";

/** Starts a command, in a process group of its own, since npx has children. */
export function start(
  t: TestContext | undefined,
  command: string[],
  { env, cwd = root, stdout: file, before = [] }: Options = {},
) {
  const [name = "", ...args] = [...before, ...command];
  const inherited: NodeJS.ProcessEnv = { ...process.env };
  for (const name of unset.split(" ")) delete inherited[name];
  // c8 cannot add up the coverage of a file that two runtimes translate. Node
  // hands this variable on even if it is deleted, so it is emptied.
  if (!args.includes("tsx/esm")) inherited.NODE_V8_COVERAGE = "";
  inherited.npm_config_loglevel = "error"; // npx may have warnings to print.
  const stdio: StdioOptions = ["pipe", file ?? "pipe", "pipe"];
  const all = { cwd, env: { ...inherited, ...env }, stdio, detached: true };
  const child = spawn(name, args, all);
  const { pid } = child;
  assert(pid && child.stderr, `${name} does not start`);
  const stderr = new Output(child.stderr);
  const stdout = child.stdout ? new Output(child.stdout) : stderr;
  const signal = (name: NodeJS.Signals) => process.kill(-pid, name);
  const alive = { destroy: () => signal("SIGKILL") };
  left.add(alive);
  guard.stdin?.write(`${pid} `);
  const end = once(child, "close").then(([code, signal]) => {
    left.delete(alive);
    guard.stdin?.write(`${pid} `);
    return { stdout: stdout.text, stderr: stderr.text, code, signal };
  });
  const tail = (text: string) =>
    text.split("\n").slice(-12).map((l) => `\n  ${l.slice(0, 120)}`).join("");
  /** If `t` fails, its report shows what the process has printed. */
  const explains = (t: TestContext) =>
    t.after(() => {
      if ("passed" in t && t.passed) return;
      t.diagnostic(`${command.join(" ").slice(0, 120)}
standard output:${tail(stdout.text)}\nstandard error:${tail(stderr.text)}`);
    });
  if (t) explains(t);
  const ended = () => within("end of the process", end);
  return { child, pid, stdout, stderr, signal, explains, ended };
}

/** Waits until server.ts says where it listens; gives the port. */
export async function listening(stderr: Output): Promise<number> {
  const said = await stderr.match(/^listening on \('.+', (\d+)\)\n/m);
  return Number(said[1]);
}

/** This end of a connection; the other one is under test. */
export class Peer {
  readonly socket: Socket;
  readonly output: Output;
  readonly addr: string; // of this end, as the server prints it

  constructor(socket: Socket) {
    this.socket = socket.setNoDelay(true); // Each write is a segment.
    this.output = new Output(socket);
    this.addr = `('${socket.localAddress}', ${socket.localPort})`;
    left.add(socket);
    socket.on("close", () => left.delete(socket));
  }

  /** Sends bytes, and waits until they have left, or the connection is gone. */
  send(bytes: string | Uint8Array): Promise<unknown> {
    const sent = new Promise((resolve) => this.socket.write(bytes, resolve));
    return within("room to send", sent);
  }

  /** Waits until the other side has finished sending; gives all that came. */
  received(): Promise<string> {
    const { output } = this;
    return output.until("end", () => output.ended).then(() => output.text);
  }

  /** Waits until the other side has hung up, too, and resets what is sent. */
  async dropped(): Promise<string> {
    const text = await this.received();
    const hangsUp = async () => {
      while (this.socket.writable) await this.send("x").then(() => pause(5));
      if (!this.socket.closed) await once(this.socket, "close");
    };
    await within("end of the connection", hangsUp());
    return text;
  }
}

/** Connects to `port`. Either side may finish sending before the other. */
export async function open(port: number, host = "127.0.0.1"): Promise<Peer> {
  const socket = connect({ port, host, allowHalfOpen: true });
  await within("connection", once(socket, "connect"));
  return new Peer(socket);
}

/** One exchange: sends these bytes, finishes, and gives what came back. */
export async function say(port: number, bytes: string): Promise<string> {
  const peer = await open(port);
  peer.socket.end(bytes);
  return peer.dropped();
}

/** Listens on a free port. `next` waits for the next client, a process. */
export async function listen() {
  const listener = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const close = () => listener.close();
  left.add({ destroy: close });
  const address = listener.address();
  assert(typeof address === "object" && address);
  const peers: Peer[] = [];
  listener.on("connection", (socket) => peers.push(new Peer(socket)));
  const next = async ({ ended }: Pick<Running, "ended">): Promise<Peer> => {
    if (!peers[0]) await Promise.race([once(listener, "connection"), ended()]);
    const peer = peers.shift();
    assert(peer, "the client has ended before it connects");
    return peer;
  };
  return { port: address.port, peers, next, close };
}

/** Starts a script whose waits the test controls: `pass` ends those of `ms`. */
export async function startControlled(
  t: TestContext | undefined,
  { name, command }: Runtime,
  script: string[],
  options: Options = {},
) {
  const { port, next } = await listen();
  const preload = /deno|bun/.test(name) ? "--preload" : "--import";
  const all = [...command, preload, "./tests/control.ts", ...script];
  const env = { CONTROL: String(port), ...options.env };
  const running = start(t, all, { ...options, env });
  const { socket, output: told } = await next(running);
  const begun = (ms: number) => told.text.split(`${ms}\n`).length - 1;
  const waits = (ms: number, count = 1) =>
    told.until(`${count} waits of ${ms} ms`, () => begun(ms) >= count);
  const pass = (ms: number) => socket.write(`pass ${ms}\n`);
  const failAccept = (code: string) => socket.write(`accept ${code}\n`);
  return { ...running, begun, waits, pass, failAccept };
}

type Running = ReturnType<typeof start>;
type Controlled = Awaited<ReturnType<typeof startControlled>>;

/** A running server.ts, and what it must print of each client. */
export class Server {
  readonly running: Controlled;
  readonly port: number;
  // Each peer, and how much the server had printed before that connected.
  readonly #peers = new Map<Peer, { stdout: number; stderr: number }>();
  readonly #tests = new Set<TestContext>();
  #opened = 0;

  constructor(running: Controlled, port: number) {
    this.running = running;
    this.port = port;
  }

  /** Connects, and waits until the server has accepted that (or does not). */
  async open(t: TestContext, accepted = true): Promise<Peer> {
    const { stdout, stderr, explains, waits } = this.running;
    if (!this.#tests.has(t)) explains(t);
    this.#tests.add(t);
    const before = { stdout: stdout.text.length, stderr: stderr.text.length };
    const count = ++this.#opened;
    const peer = await open(this.port);
    this.#peers.set(peer, before);
    if (accepted) await waits(30_000, count);
    return peer;
  }

  /** Sends bytes, and waits until the server has read them. */
  async send(peer: Peer, bytes: string | Uint8Array) {
    const count = this.running.begun(500) + 1;
    await peer.send(bytes);
    await this.running.waits(500, count);
  }

  /** One exchange: sends these bytes, finishes, and waits for the end. */
  async say(t: TestContext, bytes: string | Uint8Array): Promise<Peer> {
    const peer = await this.open(t);
    peer.socket.end(bytes);
    await peer.dropped();
    return peer;
  }

  /** Waits for the line that `peer` is worth on one output, or on either. */
  line(peer: Peer, ...names: ("stdout" | "stderr")[]): Promise<string> {
    const addr = peer.addr.replace(/[().]/g, "\\$&");
    const line = new RegExp(`^${addr}.*(?=\n)`, "m");
    const found = names.map((name) =>
      this.running[name].match(line, this.#peers.get(peer)?.[name])
    );
    return Promise.any(found).then(([line]) => line);
  }

  /** Checks that `peer` has its reply, and that this line was printed. */
  async answered(peer: Peer, text: string) {
    assert.equal(await peer.received(), OK);
    const line = await this.line(peer, "stdout");
    assert.equal(line, `${peer.addr} ----- ${text}`);
  }

  /** Checks that `peer` has no reply, and that the reason was reported. */
  async refused(peer: Peer, reason: string) {
    assert.equal(await peer.dropped(), "");
    assert.equal(await this.line(peer, "stderr"), `${peer.addr}: ${reason}`);
  }

  /** Says `close`, and checks that each client is worth exactly one line. */
  async close(t: TestContext) {
    const closer = await this.say(t, "close");
    const end = await this.running.ended();
    const [listens, ...errors] = end.stderr.split("\n");
    const lines = [...end.stdout.split("\n"), ...errors].filter(Boolean);
    const addrs = [...this.#peers.keys()].map(({ addr }) => addr);
    assert.equal(listens, `listening on ('127.0.0.1', ${this.port})`);
    assert.deepEqual(
      lines.map((line) => line.replace(/\)(: | ----- ).*/, ")")).sort(),
      [...addrs, `disconnecting from ${closer.addr}`].sort(),
    );
    assert.equal(closer.output.text, OK);
    assert.equal(end.code, 0);
    return end;
  }
}

/** Starts server.ts on a free port. `t` is the test that it is for, if one. */
export async function serve(
  t: TestContext | undefined,
  runtime: Runtime = tsx,
  options: Options = {},
): Promise<Server> {
  options.env = { PORT: "0" };
  const running = await startControlled(t, runtime, ["server.ts"], options);
  return new Server(running, await listening(running.stderr));
}
