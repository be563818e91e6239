// What server.ts prints and answers, refuses, survives, and how it ends.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test, type TestContext } from "node:test";
import { listen, MAX, OK, onEach, open, start } from "./helper.ts";

const full = "x".repeat(MAX);
const hex = (digits: string) => Buffer.from(digits, "hex");
const notUTF8 = "received bytes that are not UTF-8";
const tooLong = `: Error: message too long: ${MAX + 1} bytes, at most ${MAX}`;
type Server = Awaited<ReturnType<typeof serve>>;

/** The pieces of a message, the line behind the address, and the reply. */
const messages: [string, (string | Uint8Array)[], string, string][] = [
  ["joins single bytes", [..."hey bruh"], " ----- hey bruh", OK],
  ["joins a cut character", [hex("e282"), hex("ac")], " ----- €", OK],
  ["takes the most bytes", [full], ` ----- ${full}`, OK],
  ["shows controls", ["\x1b]0;hey\x07"], " ----- ?]0;hey?", OK],
  ["shows a forged line", ["\n('::1', 5)\n"], " ----- ?('::1', 5)", OK],
  ["goes on after `Close`", ["Close"], " ----- Close", OK],
  ["refuses no bytes", [], ": Error: received nothing", ""],
  ["refuses a byte more", [full, "x"], tooLong, ""],
  ["refuses a bad byte", [hex("ff")], `: Error: ${notUTF8}`, ""],
];

onEach("server.ts", ({ command }) => {
  /** Tests a server. In the end, a client closes it. */
  const serves = (
    name: string,
    talk: (server: Server) => Promise<unknown>,
  ) =>
    test(name, async (t) => {
      const server = await serve(t, command);
      await talk(server);
      await server.close();
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

  test("lets clients finish after `close`, and no other in", async (t) => {
    const server = await serve(t, command);
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

  for (
    const [name, env, reason] of [
      ["a port that is taken", {}, /^.*EADDRINUSE.* 127.0.0.1:\d+\n$/],
      ["another's address", { SERVER_IP: "192.0.2.1" }, /^.* 192.0.2.1.*\n$/],
      ["no port", { PORT: "abc" }, /[Pp]ort should be >= 0 and < 65536/],
    ] as const
  ) {
    test(`says that it cannot listen at ${name}`, async (t) => {
      const options = { env: { PORT: (await listen(t)).port, ...env } };
      const server = start(t, [...command, "server.ts"], options);
      const { stdout, stderr, code } = await server.ended();
      assert.match(stderr, reason);
      assert.deepEqual([stdout, code], ["", 1]);
    });
  }
});

/** Starts server.ts on a free port. */
async function serve(t: TestContext, command: string[]) {
  const running = start(t, [...command, "server.ts"]);
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
  return { ...running, port, connect, say, hasRead, close };
}
