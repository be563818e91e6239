// The plumbing of the tests: starts a script as a process, hands over its
// port, its lines and its end, and leaves nothing behind. And a bare peer.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import process from "node:process";
import { Readable } from "node:stream";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

process.setMaxListeners(0); // one for each process that a test starts
// A test run that is interrupted ends what it has started, too.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => process.exit(1));
}

export const root = fileURLToPath(new URL("..", import.meta.url));

/** How long a test waits for an event that should come at once: 20 s. */
const PATIENCE = 20_000;

/** A way to run a script. `missing` says why it cannot be had here, if so. */
export interface Runtime {
  name: string;
  command: string[];
  /** The option that loads a module ahead of the script. */
  preload: string;
  missing: string | false;
}

/** False if `command` runs here; else the reason to skip, which fails CI. */
export function missing(command: string[], why: string): string | false {
  const { status } = spawnSync(command[0]!, command.slice(1));
  if (status === 0) return false;
  if (process.env.CI) throw new Error(`CI needs it: ${why}`);
  return why;
}

/** Node that runs TypeScript by itself: this one, or the one CI names. */
const plain = process.env.PLAIN_NODE || process.execPath;

export const tsx: Runtime = {
  name: "tsx",
  command: [process.execPath, "--import", "tsx/esm"],
  preload: "--import",
  missing: false,
};

export const runtimes: Runtime[] = [
  tsx,
  {
    name: "node",
    command: [plain],
    preload: "--import",
    missing: missing(
      [plain, "-e", "process.features.typescript || process.exit(1)"],
      "Node 22.18 or later is not here",
    ),
  },
  {
    name: "deno",
    command: ["deno", "run", "-A"],
    preload: "--preload",
    missing: missing(["deno", "--version"], "Deno is not on the PATH"),
  },
  {
    name: "bun",
    command: ["bun"],
    preload: "--preload",
    missing: missing(["bun", "--version"], "Bun is not on the PATH"),
  },
];

/** What a process has printed so far, and a way to wait for more of it. */
export class Output {
  text = "";
  #from = 0;
  #waiting = new Set<() => void>();

  constructor(stream: NodeJS.ReadableStream) {
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => {
      this.text += chunk;
      for (const look of this.#waiting) look();
    });
  }

  /** Sets what was printed so far apart: TCP may give a peer's port again. */
  mark() {
    this.#from = this.text.length;
  }

  /** What was printed since the last mark. */
  get recent(): string {
    return this.text.slice(this.#from);
  }

  /** Waits for `pattern` to match what is printed. */
  until(pattern: RegExp): Promise<RegExpMatchArray> {
    return within(
      `${pattern} in what was printed`,
      new Promise((resolve) => {
        const look = () => {
          const match = this.recent.match(pattern);
          if (match === null) return;
          this.#waiting.delete(look);
          resolve(match);
        };
        this.#waiting.add(look);
        look();
      }),
      () => `printed: ${JSON.stringify(this.text)}`,
    );
  }
}

/** Gives what `promise` gives, or fails after 20 s and says what is awaited. */
export async function within<T>(
  what: string,
  promise: Promise<T>,
  more = () => "",
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`no ${what} in ${PATIENCE} ms; ${more()}`)),
      PATIENCE,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The least of the times, in ms, that up to five tries take; no further try
 * once it is below `enough`. For an upper bound, since a machine may be busy.
 */
export async function least(
  enough: number,
  attempt: () => Promise<number>,
): Promise<number> {
  let least = Infinity;
  for (let tries = 0; tries < 5 && least >= enough; tries++) {
    least = Math.min(least, await attempt());
  }
  return least;
}

/** Waits until `condition` holds, looking every 20 ms, for 20 s at most. */
export async function until(what: string, condition: () => boolean) {
  const end = performance.now() + PATIENCE;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within 20 s: ${what}`);
    await pause(20);
  }
}

/** For the tests whose matter is time itself. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** How a process ended, and all that it printed. */
export interface End {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Options {
  env?: Record<string, string>;
  cwd?: string;
  stdout?: number;
}

export class Running {
  readonly child: ChildProcess;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly #ended: Promise<End>;

  constructor(
    t: Pick<TestContext, "after">,
    command: string[],
    options: Options,
  ) {
    const env: NodeJS.ProcessEnv = { ...process.env };
    // The scripts are under test here, not the settings of who runs the tests.
    for (const name of ["HOST", "PORT", "NODE_OPTIONS", "NODE_TEST_CONTEXT"]) {
      delete env[name];
    }
    // c8 cannot add up the coverage of a file that two runtimes translate.
    // Node hands the variable on even where it is deleted, so it is emptied.
    if (!command.includes("tsx/esm")) {
      env.NODE_V8_COVERAGE = "";
    }
    this.child = spawn(command[0]!, command.slice(1), {
      cwd: options.cwd ?? root,
      env: {
        ...env,
        NO_COLOR: "1",
        npm_config_loglevel: "error", // npx may warn of its own settings
        ...options.env,
      },
      stdio: ["ignore", options.stdout ?? "pipe", "pipe"],
      detached: true, // a group of its own: npx has children
    });
    const { child } = this;
    const kill = () => {
      try {
        process.kill(-child.pid!, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    };
    process.once("exit", kill);
    t.after(() => {
      process.off("exit", kill);
      kill();
    });
    this.stdout = new Output(child.stdout ?? Readable.from([]));
    this.stderr = new Output(child.stderr!);
    this.#ended = once(child, "close").then(([code, signal]) => ({
      code,
      signal,
      stdout: this.stdout.text,
      stderr: this.stderr.text,
    }));
  }

  /** Waits for the end of the process. */
  get end(): Promise<End> {
    return within("end of the process", this.#ended, () => this.stderr.text);
  }
}

/** Starts a script; `command` is a runtime's or one that a test names. */
export function run(
  t: Pick<TestContext, "after">,
  command: string[],
  options: Options = {},
): Running {
  return new Running(t, command, options);
}

/** Starts server.ts on a free port and waits until it listens there. */
export async function serve(
  t: Pick<TestContext, "after">,
  runtime: Runtime = tsx,
  options: Options & {
    before?: string[];
    flags?: string[];
    script?: string;
  } = {},
): Promise<Running & { port: number }> {
  const { before = [], flags = [], script = "server.ts", ...rest } = options;
  const server = run(
    t,
    [...before, ...runtime.command, ...flags, script],
    { ...rest, env: { PORT: "0", ...options.env } },
  );
  const [, port] = await server.stderr.until(/^listening on .*:(\d+)$/m);
  return Object.assign(server, { port: Number(port) });
}

/** A peer of bare bytes. It ends its half only when told to. */
export class Peer {
  readonly socket: Socket;
  readonly #bytes: Buffer[] = [];
  readonly #closed: Promise<unknown>;
  readonly #ended: Promise<unknown>;
  readonly #address: string;
  readonly port: number;
  error: NodeJS.ErrnoException | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    // Kept, since a closed socket no longer knows them.
    this.#address = socket.localAddress!;
    this.port = socket.localPort!;
    socket.on("data", (chunk) => this.#bytes.push(chunk));
    socket.on("error", (error) => this.error = error);
    this.#ended = new Promise((resolve) => {
      socket.on("end", resolve);
      socket.on("close", resolve);
    });
    this.#closed = new Promise((resolve) => socket.on("close", resolve));
  }

  /** The line that the server prints for `text` from here. */
  line(text: string): string {
    return `${this.addr} ----- ${text}`;
  }

  /** This peer's address, as the server prints it. */
  get addr(): string {
    return `('${this.#address}', ${this.port})`;
  }

  /** Writes `bytes` and waits until they have left. */
  send(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => this.socket.write(bytes, () => resolve()));
  }

  /** Waits for the end of the other half; gives all the bytes that came. */
  async reply(): Promise<string> {
    await within("end of the reply", this.#ended);
    return Buffer.concat(this.#bytes).toString();
  }

  /** Waits until the connection is gone; gives all the bytes that came. */
  async closed(): Promise<string> {
    await within("end of the connection", this.#closed);
    return Buffer.concat(this.#bytes).toString();
  }
}

/** Opens a connection to `port` on the loopback address. */
export async function open(
  t: Pick<TestContext, "after">,
  port: number,
  host = "127.0.0.1",
): Promise<Peer> {
  const socket = connect({ port, host, allowHalfOpen: true });
  t.after(() => socket.destroy());
  await within("connection", once(socket, "connect"));
  return new Peer(socket);
}

/** One whole exchange: sends `bytes`, ends its half, gives what comes back. */
export async function say(
  t: Pick<TestContext, "after">,
  port: number,
  bytes: string | Uint8Array,
): Promise<Peer & { got: string }> {
  const peer = await open(t, port);
  peer.socket.end(bytes);
  return Object.assign(peer, { got: await peer.closed() });
}

/**
 * Opens a connection and sends the parts with a pause of `gap` ms after each.
 * Again, on a new one, where this process was itself so slow (a busy machine)
 * that the server may rightly have taken the part for the whole.
 */
export async function inPieces(
  t: Pick<TestContext, "after">,
  port: number,
  parts: Iterable<string | Uint8Array>,
  gap: number,
): Promise<Peer> {
  for (let tries = 0; tries < 20; tries++) {
    const peer = await open(t, port);
    peer.socket.setNoDelay(true);
    let longest = 0;
    for (const part of parts) {
      const start = performance.now();
      await peer.send(part);
      await pause(gap);
      longest = Math.max(longest, performance.now() - start);
    }
    if (longest < 400) return peer;
    peer.socket.destroy();
  }
  throw new Error("this machine is too busy for a test of half a second");
}

/** Listens on a free loopback port and hands each connection to `handler`. */
export async function listen(
  t: Pick<TestContext, "after">,
  handler: (peer: Peer) => void,
): Promise<Server & { port: number }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    t.after(() => socket.destroy());
    handler(new Peer(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const address = server.address();
  assert(typeof address === "object" && address !== null);
  return Object.assign(server, { port: address.port });
}

/** The lines of `text` in which `part` stands. */
export function lines(text: string, part: string): string[] {
  return text.split("\n").filter((line) => line.includes(part));
}
