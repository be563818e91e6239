// Both scripts as processes, on each runtime, on a port that the system picks.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { describe, test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

/** Waits for `promise`. Only a fault makes that last 10 s. */
function within<T>(what: string, promise: Promise<T>): Promise<T> {
  const done = new AbortController();
  const late = pause(10_000, 0, { signal: done.signal }).then(() => {
    throw new Error(`${what} has not come within 10 s`);
  });
  return Promise.race([promise, late]).finally(() => done.abort());
}

/** Starts a program, which ends with the test at the latest. */
function start(t: TestContext, command: string[], PORT = "0", IP?: string) {
  const [program = "", ...args] = command;
  const env: NodeJS.ProcessEnv = { ...process.env, PORT, SERVER_IP: IP };
  // What else a person has set is not for the scripts.
  env.NO_COLOR = env.FORCE_COLOR = env.NODE_OPTIONS = undefined;
  // c8 cannot add up what two runtimes have made of the same file.
  if (!args.includes("tsx")) env.NODE_V8_COVERAGE = undefined;
  const child = spawn(program, args, { env });
  const printed = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => printed.stdout += chunk);
  child.stderr.on("data", (chunk) => printed.stderr += chunk);
  const closed = once(child, "close").then(([code]) => ({ ...printed, code }));
  const ended = () => within(`the end of ${command.join(" ")}`, closed);
  t.after(async () => {
    child.kill("SIGKILL");
    await ended();
    if ("passed" in t && t.passed) return; // newer than the types of Node 20
    t.diagnostic(`${command.join(" ")}: ${JSON.stringify(printed, null, 2)}`);
  });
  return { child, ended };
}

/** Starts a server, and waits until it says on which port it listens. */
async function serve(t: TestContext, command: string[]) {
  const { child, ended } = start(t, command);
  const lines = createInterface(child.stderr);
  const [line] = await within("its first line", once(lines, "line"));
  assert.match(line, /^listening on \('127\.0\.0\.1', \d+\)$/);
  return { port: line.match(/\d+(?=\)$)/)[0], ended };
}

/** Connects to a server, as a client that does not close by itself. */
const open = (port: string) =>
  connect({ port: +port, host: "127.0.0.1", allowHalfOpen: true }).unref();

/** Returns the reply, when the server has finished sending. Closes nothing. */
const reply = (client: Socket) =>
  within("its reply", text(client.iterator({ destroyOnReturn: false })));

/** Returns why a test is skipped. With NO_SKIPS, throws an Error instead. */
function skipFor(reason: string) {
  if (process.env.NO_SKIPS) throw new Error(`NO_SKIPS is set, but ${reason}`);
  return reason;
}
const unless = (what: string, program: string, ...args: string[]) =>
  spawnSync(program, args).status !== 0 && skipFor(`no ${what} here`);

const OK = "OKay got it";
const transcript = `('127.0.0.1', PORT) ----- hey bruh
('127.0.0.1', PORT) ----- close
disconnecting from ('127.0.0.1', PORT)
`;
/** What is no message, and what either script then says. */
const refused = [
  ["", "received nothing"],
  [Buffer.of(255), "received bytes that are not UTF-8"],
  ["x".repeat(1025), "message longer than 1024 bytes"],
] as const;
const timeout = 60_000; // in ms; only a fault makes a test last so long
const tsx = [process.execPath, "--import", "tsx"];
const node = process.env.PLAIN_NODE || process.execPath;
const hasTypes = "process.exit(process.features.typescript ? 0 : 1)";
// Node 23.6 to 24.2 warn when they run TypeScript.
const plain = [node, "--disable-warning=ExperimentalWarning"];
const runtimes = [
  ["tsx", tsx, false],
  ["Node", plain, unless("Node 22.18 or later", node, "-e", hasTypes)],
  ["Deno", ["deno", "run", "-NE"], unless("Deno", "deno", "--version")],
  ["Bun", ["bun"], unless("Bun", "bun", "--version")],
] as const;
const unix = "import os; assert os.linesep == '\\n'";
const noPython = unless("Python with Unix line ends", "python3", "-c", unix);

/** Says what the article's client says, and compares all that is printed. */
async function session(t: TestContext, server: string[], client: string[]) {
  const { port, ended } = await serve(t, server);
  for (const words of [["hey", "bruh"], ["close"]]) {
    const end = await start(t, [...client, ...words], port).ended();
    assert.deepEqual(end, { stdout: `${OK}\n`, stderr: "", code: 0 });
  }
  const { stdout, stderr, code } = await ended();
  assert.equal(stdout.replace(/\d+(?=\))/g, "PORT"), transcript);
  assert.equal(stderr, `listening on ('127.0.0.1', ${port})\n`);
  assert.equal(code, 0);
}

for (const [name, runtime, skip] of runtimes) {
  describe(name, { concurrency: 3, skip }, () => {
    const server = [...runtime, "server.ts"];
    const client = [...runtime, "client.ts"];

    test("both speak as in the article", { timeout }, async (t) => {
      await session(t, server, client);
    });

    test("bad and silent clients stop nobody", { timeout }, async (t) => {
      const { port, ended } = await serve(t, server);
      const [silent, reset, last] = [open(port), open(port), open(port)];
      const others = ["closer", "CLOSE", " close"];
      for (const other of others) {
        assert.equal(await reply(open(port).end(other)), OK);
      }
      reset.resetAndDestroy();
      for (const [bytes] of refused) {
        const bad = open(port);
        bytes ? bad.write(bytes) : bad.end();
        assert.equal(await reply(bad), "");
      }
      last.write("close\n");
      assert.equal(await reply(last), OK);
      // Nobody can connect any more.
      await assert.rejects(reply(open(port).end("late")), /ECONN/);
      silent.write("%d\x1b"); // It had connected before `close` came.
      assert.equal(await reply(silent), OK);
      // The server has closed all connections, or it would not end.
      const { stdout, stderr, code } = await ended();
      assert.deepEqual(stdout.match(/(?<=- ).*/g), [...others, "close", "%d?"]);
      const addr = `('127.0.0.1', ${last.localPort})`;
      assert.equal(stdout.split(addr)[1], " ----- close\ndisconnecting from ");
      const reasons = ["read ECONNRESET", ...refused.map(([, why]) => why)];
      assert.deepEqual(stderr.match(/(?<=\d\): Error: ).*/g), reasons);
      assert.equal(code, 0);
    });

    test("what cannot work is one line", { timeout }, async (t) => {
      const { port } = await serve(t, server);
      const failures: [string[], RegExp, PORT?: string, IP?: string][] = [
        [server, /^.*EADDRINUSE.* 127\.0\.0\.1:\d+\n$/, port],
        [server, /^.*x{64}.*\n$/, "0", "x".repeat(64)], // no such name
        [client, /^usage: npx tsx client\.ts MESSAGE\n$/],
        [[...client, "x".repeat(1025)], /^message longer than 1024 bytes\n$/],
        [[...client, "hey"], /^connect ECONNREFUSED 127\.0\.0\.1:1\n$/, "1"],
        // If localhost is also ::1, the error has only a code.
        [[...client, "hey"], /^.*ECONNREFUSED.*\n$/, "1", "localhost"],
        [[...client, "hey"], /^.*x{64}.*\n$/, "1", "x".repeat(64)],
      ];
      for (const [command, why, PORT, IP] of failures) {
        const end = await start(t, command, PORT, IP).ended();
        assert.match(end.stderr, why);
        assert.deepEqual([end.stdout, end.code], ["", 1]);
      }
    });

    test("the client says why it has no reply", { timeout }, async (t) => {
      const other = createServer({ allowHalfOpen: true }).unref();
      await once(other.listen(0, "127.0.0.1"), "listening");
      const { port } = other.address() as AddressInfo;
      for (const [bytes, why] of [...refused, [null, "read ECONNRESET"]]) {
        const { ended } = start(t, [...client, "hey"], `${port}`);
        const [peer] = await within("a client", once(other, "connection"));
        await within("its message", once(peer.resume().unref(), "end"));
        peer.on("error", () => {}); // Whoever exits may reset a connection.
        if (bytes === null) peer.resetAndDestroy();
        else bytes ? peer.write(bytes) : peer.end();
        const end = { stdout: "", stderr: `${why}\n`, code: 1 };
        assert.deepEqual(await ended(), end);
      }
    });

    test("both speak with Python", { skip: noPython, timeout }, async (t) => {
      const ours = session(t, server, ["python3", "tests/python_client.py"]);
      const theirs = session(t, ["python3", "tests/python_server.py"], client);
      await Promise.all([ours, theirs]);
    });
  });
}

test("both mean 127.0.0.1 and port 9999 by default", { timeout }, async (t) => {
  const server = start(t, [...tsx, "server.ts"], "", "");
  const [line] = await within("a line", once(server.child.stderr, "data"));
  assert.match(`${line}`, /\('127\.0\.0\.1', 9999\)\n$|EADDRINUSE.*:9999\n$/);
  const taken = "another program has port 9999";
  if (/EADDRINUSE/.test(line)) return t.skip(skipFor(taken));
  const client = start(t, [...tsx, "client.ts", "close"], "", "");
  assert.equal((await client.ended()).stdout, `${OK}\n`);
  await server.ended();
});
