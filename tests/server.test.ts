// What server.ts prints and answers, refuses, survives, and how it ends.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { listen, MAX, noShell, OK, onEach, open, start } from "./helper.ts";

const full = "x".repeat(MAX);
const hex = (digits: string) => Buffer.from(digits, "hex");
const notUTF8 = "received bytes that are not UTF-8";
const tooLong = `: Error: received ${MAX + 1} bytes, not 1 to ${MAX}`;
const QUICK = '{"silence":20}'; // ms
const REAL = '{"silence":500,"close":500,"deadline":30000}';

// A shell that reads what a command prints only when it is told to.
const readsLate = 'exec 3<&0; "$@" </dev/null | { read -r go <&3; exec cat; }';
const readLate = ["sh", "-c", readsLate, "sh"];

type Options = Parameters<typeof start>[2] & object;
type Server = Awaited<ReturnType<typeof serve>>;

/** The pieces of a message, the line behind the address, and the reply. */
const messages: [string, (string | Uint8Array)[], string, string][] = [
  ["joins single bytes", [..."hey bruh"], " ----- hey bruh", OK],
  ["joins a cut character", [hex("e282"), hex("ac")], " ----- €", OK],
  ["takes the most bytes", [full], ` ----- ${full}`, OK],
  ["shows controls", ["\x1b]0;hey\x07"], " ----- \\u{1b}]0;hey\\u{7}", OK],
  ["shows a forged line", ["\n('::1', 5)\n"], " ----- \\u{a}('::1', 5)", OK],
  ["goes on after `close `", ["close "], " ----- close ", OK],
  ["refuses no bytes", [], `: Error: received 0 bytes, not 1 to ${MAX}`, ""],
  ["refuses a byte more", [full, "x"], tooLong, ""],
  ["refuses a bad byte", [hex("ff")], `: Error: ${notUTF8}`, ""],
];

onEach("server.ts", ({ name, tested }) => {
  /** Tests a server. In the end, a client closes it. */
  const serves = (
    name: string,
    talk: (server: Server) => Promise<unknown>,
    { skip, ...options }: Options & { skip?: string | false } = {},
  ) =>
    test(name, { skip: skip ?? false }, async (t) => {
      const server = await serve(t, tested, options);
      await talk(server);
      await server.close();
    });

  test("ends at once after `close` if no client is left", async (t) => {
    const env = { WAITS: '{"close":20000}' }; // longer than this test takes
    const server = await serve(t, tested, { env });
    const before = performance.now();
    await server.close();
    assert(performance.now() - before < 20_000, "it waited for nobody");
  });

  test("ends 500 ms after `close` if a client stays", async (t) => {
    const server = await serve(t, tested, { env: { WAITS: REAL } });
    const silent = await server.connect();
    const before = performance.now();
    const { addr } = await server.say("close");
    const { stdout, code } = await server.ended();
    const took = performance.now() - before;
    assert(took > 495 && took < 15_000, `it ended after ${took} ms`);
    assert.equal(stdout, `${addr} ----- close\ndisconnecting from ${addr}\n`);
    assert.equal(await silent.output.all(), "");
    assert.equal(code, 0);
  });

  for (const [name, pieces, line, reply] of messages) {
    serves(name, async (server) => {
      const client = await server.say(...pieces);
      assert.equal(await client.line(), line);
      assert.equal(await client.closed(), reply);
    });
  }

  serves("reports a reset before the message is complete", async (server) => {
    for (const bytes of ["", "hey"]) {
      const client = await server.connect();
      if (bytes) await client.send(bytes);
      await server.hasRead();
      client.reset();
      assert.equal(await client.line(), ": Error: read ECONNRESET");
    }
  });

  serves("says nothing of what follows a complete message", async (server) => {
    const [first, second] = [await server.connect(), await server.connect()];
    first.socket.pause(); // It does not read the reply, so destroy() resets.
    first.end("bye");
    assert.equal(await first.line(), " ----- bye");
    first.socket.destroy();
    await second.send("bye"); // It never finishes sending.
    assert.equal(await second.output.all(), OK);
    await second.send(full + full);
    assert.equal(await second.closed(), OK);
  }, { env: { WAITS: QUICK } });

  serves("lets no client wait for another", async (server) => {
    const silent = [];
    for (let i = 0; i < 100; i++) silent.push(await server.connect());
    const clients = [];
    for (let i = 0; i < 400; i++) clients.push(server.say(`no. ${i}`));
    for (const [i, client] of (await Promise.all(clients)).entries()) {
      assert.equal(await client.line(), ` ----- no. ${i}`);
      assert.equal(await client.closed(), OK);
    }
    for (const { end } of silent) end();
  });

  test("drops silent and slow clients after 30 s", async (t) => {
    const env = { WAITS: '{"deadline":300}' };
    const server = await serve(t, tested, { env });
    const [silent, slow] = [await server.connect(), await server.connect()];
    while (!slow.socket.closed) {
      await slow.send("x");
      await pause(5);
    }
    for (const client of [silent, slow]) {
      assert.equal(await client.line(), ": Error: no complete message in 30 s");
      assert.equal(await client.closed(), "");
    }
  });

  test("lets clients finish after `close`, and no other in", async (t) => {
    const server = await serve(t, tested);
    const client = await server.connect();
    const first = await server.say("close");
    assert.equal(await first.closed(), OK);
    await assert.rejects(open(server.port), { code: "ECONNREFUSED" });
    client.end("close"); // It is treated as the first one.
    assert.equal(await client.closed(), OK);
    const { stdout, code } = await server.ended();
    const lines = [first, client].map(({ addr }) =>
      `${addr} ----- close\ndisconnecting from ${addr}\n`
    );
    assert.equal(stdout, lines.join(""));
    assert.equal(code, 0);
  });

  test("goes on if nobody reads standard error", async (t) => {
    const server = await serve(t, tested);
    server.child.stderr.destroy();
    for (let i = 0; i < 5; i++) {
      const client = await server.say(); // Without bytes, that is an error.
      assert.equal(await client.closed(), "");
    }
    const client = await server.say("close");
    assert.equal(await client.closed(), OK);
    assert.equal((await server.ended()).code, 0);
  });

  serves("loses no line that is read late", async (server) => {
    const clients = await fill(server);
    server.child.stdin.write("go\n");
    for (const client of clients) assert.equal(await client.closed(), OK);
  }, { skip: noShell, before: readLate });

  const stops = noShell || /^Deno/.test(name) &&
      "Deno stops while it cannot print, so it hears no silence";
  test("answers in spite of late bytes", { skip: stops }, async (t) => {
    const options = { env: { WAITS: QUICK }, before: readLate };
    const server = await serve(t, tested, options);
    await fill(server);
    // These never finish sending, but they are silent.
    const clients = [await server.connect(), await server.connect()];
    for (const { send } of clients) await send("hey");
    await server.isSilent(); // So both messages are complete, not printed.
    await clients[0]?.send("!");
    await clients[1]?.send(full + full);
    await server.isSilent();
    server.child.stdin.write("go\n");
    for (const client of clients) {
      assert.equal(await client.output.all(), OK);
      assert.equal(await client.line(), " ----- hey");
    }
    await server.close();
  });

  test("prints no unknown address", { skip: noShell }, async (t) => {
    const { port, child, say, ended } = await serve(t, tested);
    await (await say("warm up")).closed();
    child.kill("SIGSTOP");
    for (let i = 0; i < 50; i++) {
      const client = await open(port);
      if (i % 2) await client.send("hey");
      client.reset(); // So it is gone before the server can ask who it is.
    }
    child.kill("SIGCONT");
    await say("close");
    const { stdout, stderr, code } = await ended();
    for (const line of (stdout + stderr).trimEnd().split("\n")) {
      assert.match(line, /^(listening on |.* from )?\('127.0.0.1', \d+\)/);
    }
    assert.equal(code, 0);
  });

  for (
    const [name, env, reason] of [
      ["a port that is taken", {}, /^.*EADDRINUSE.* 127.0.0.1:\d+\n$/],
      ["another's address", { SERVER_IP: "192.0.2.1" }, /^.* 192.0.2.1.*\n$/],
      ["no port", { PORT: "abc" }, /[Pp]ort should be >= 0 and < 65536/],
    ] as const
  ) {
    test(`says that it cannot listen at ${name}`, async (t) => {
      const options = { env: { PORT: (await listen(t)).port, ...env } };
      const server = start(t, [...tested, "server.ts"], options);
      const { stdout, stderr, code } = await server.ended();
      assert.match(stderr, reason);
      assert.deepEqual([stdout, code], ["", 1]);
    });
  }
});

/** Fills the server's output, which nobody reads, and returns the clients. */
async function fill({ say }: Server) {
  const clients = [];
  for (let i = 0; i < 240; i++) {
    clients.push(await say(`${i} `.padEnd(900, "x")));
  }
  // A pipe has room for 64 KiB on Linux, 72 of these lines.
  const early = clients.filter(({ output }) => output.text === OK).length;
  assert(early < 100, `${early} replies to lines that are not written`);
  return clients;
}

/** Starts server.ts on a free port. */
async function serve(t: TestContext, tested: string[], options: Options = {}) {
  const running = start(t, [...tested, "server.ts"], options);
  const { stdout, stderr, ended, finds } = running;
  const port = await running.listening();
  const addrs: string[] = [];

  const connect = async () => {
    const from = [stdout.text.length, stderr.text.length];
    const client = await open(port);
    addrs.push(client.addr);
    /** Waits for this client's line; returns what stands behind its address. */
    const line = () =>
      finds(`a line of ${client.addr}`, () => {
        const news = stdout.text.slice(from[0]) + stderr.text.slice(from[1]);
        const [, rest] = news.split(client.addr);
        return rest?.match(/^.*(?=\n)/)?.[0] ?? null;
      });
    return { ...client, line };
  };

  /** Says a message in pieces, and finishes sending. */
  const say = async (...pieces: (string | Uint8Array)[]) => {
    const client = await connect();
    for (const [i, piece] of pieces.entries()) {
      if (i > 0) await hasRead(); // Else TCP may join two pieces.
      await client.send(piece);
    }
    client.end();
    return client;
  };

  /** Waits until what was sent before is read: another client has its reply. */
  const hasRead = async () => {
    const client = await say("meanwhile");
    assert.equal(await client.closed(), OK);
  };

  /** Waits until silence has ended all messages: one that is bad is refused. */
  const isSilent = async () => {
    const client = await connect();
    await client.send(hex("ff"));
    assert.equal(await client.line(), `: Error: ${notUTF8}`);
  };

  /** Says `close`, and checks that each client was worth exactly one line. */
  const close = async () => {
    const client = await say("close");
    assert.equal(await client.closed(), OK);
    const { stdout, stderr, code } = await ended();
    const expected = [`listening on ('127.0.0.1', ${port})`, ...addrs];
    expected.push(`disconnecting from ${client.addr}`);
    const printed = (stdout + stderr).trimEnd().split("\n");
    const starts = printed.map((line) => line.replace(/\)(:| -----) .*/, ")"));
    assert.deepEqual(starts.sort(), expected.sort());
    assert.equal(code, 0);
  };
  return { ...running, port, connect, say, hasRead, isSilent, close };
}
