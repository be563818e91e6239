// What server.ts prints and answers, refuses, survives, and how it ends.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { listen, listening, MAX, OK, onEach, open } from "./helper.ts";
import { type Options, posix, type Runtime, script, start } from "./helper.ts";
import { until } from "./helper.ts";

const hex = (digits: string) => Buffer.from(digits, "hex");
const size = (n: number) => `: Error: received ${n} bytes, not 1 to ${MAX}`;
const full = "x".repeat(MAX);

// The pieces of a message, and what is printed behind the client's address.
const messages: [string, (string | Uint8Array)[], string][] = [
  ["one byte at a time", [..."hey bruh"], " ----- hey bruh"],
  ["a cut within a character", [hex("e282"), hex("ac")], " ----- €"],
  ["nothing but LF", ["\n"], " ----- "],
  ["escape codes", ["\x1b]0;hey\x07"], " ----- \\u{1b}]0;hey\\u{7}"],
  ["a forged line", ["\n('::1', 5)\n"], " ----- \\u{a}('::1', 5)"],
  ["the most bytes", [full], ` ----- ${full}`],
  ["almost `close`", ["close "], " ----- close "],
  ["no bytes at all", [], size(0)],
  ["no text", [hex("ff")], ": Error: received bytes that are not UTF-8"],
];

onEach("server.ts", (runtime) => {
  const serves = (
    name: string,
    talk: (server: Server, t: TestContext) => Promise<void>,
    WAITS = "{}",
  ) =>
    test(name, async (t) => {
      const server = await serve(t, runtime, { env: { WAITS } });
      await talk(server, t);
      await server.close();
    });

  serves("answers messages, and refuses the rest", async (server, t) => {
    for (const [name, pieces, line] of messages) {
      await t.test(name, async () => {
        const reply = line.startsWith(" -") ? OK : "";
        assert.deepEqual(await server.say(...pieces), [line, reply]);
      });
    }
  });

  serves("refuses at the read that passes the limit", async (server) => {
    const peer = await server.connect(); // It never finishes sending.
    await peer.send(full);
    await server.say("meanwhile");
    assert(!peer.output.ended);
    await peer.send("x");
    assert.equal(await peer.dropped() + await peer.line(), size(MAX + 1));
  });

  serves("reports a reset, if the message is not complete", async (server) => {
    for (const bytes of ["", "hey"]) {
      const peer = await server.connect();
      if (bytes) await peer.send(bytes);
      await server.say("meanwhile");
      peer.reset();
      assert.equal(await peer.line(), ": Error: read ECONNRESET");
    }
    const peer = await server.connect();
    peer.socket.pause().end("bye");
    assert.equal(await peer.line(), " ----- bye");
    peer.socket.destroy(); // The reply is not read, so TCP resets.
  });

  serves("lets no client wait for another", async (server) => {
    const silent = [];
    for (let i = 0; i < 100; i++) silent.push(await server.connect());
    const texts = Array.from({ length: 500 }, (_, i) => `no. ${i}`);
    const answers = await Promise.all(texts.map((text) => server.say(text)));
    assert.deepEqual(answers, texts.map((text) => [` ----- ${text}`, OK]));
    for (const { end } of silent) end();
  });

  serves("takes 500 ms of silence for an end", async (server) => {
    const peer = await server.connect(); // It never finishes sending.
    await peer.send("hey bruh");
    assert.equal(await peer.output.all(), OK);
    await peer.send(full + full); // That is no failure, and no line.
    const line = await peer.line();
    assert.equal(await peer.dropped() + line, `${OK} ----- hey bruh`);
  }, '{"500":20}');

  serves("drops silent and slow clients after 30 s", async (server) => {
    const [silent, slow] = [await server.connect(), await server.connect()];
    while (!slow.socket.closed) await slow.send("x").then(() => pause(5));
    for (const peer of [silent, slow]) {
      assert.equal(await peer.line(), ": Error: no complete message in 30 s");
      assert.equal(await peer.dropped(), "");
    }
  }, '{"30000":300}');

  test("lets clients finish after `close`, and nobody else in", async (t) => {
    const { port, connect, say, ended } = await serve(t, runtime);
    const peer = await connect();
    await say("close");
    await assert.rejects(open(port), { code: "ECONNREFUSED" });
    peer.end("close"); // It is treated as the first one.
    assert.equal(await peer.dropped(), OK);
    const { stdout, stderr, code } = await ended();
    assert.match(stdout, /^((.*) ----- close\ndisconnecting from \2\n){2}$/);
    assert.deepEqual([stderr.split("\n").length, code], [2, 0]);
  });

  for (const WAITS of ["", '{"500":20}']) {
    test(`ends 500 ms after \`close\`: ${WAITS || "real"}`, async (t) => {
      const { connect, say, ended } = await serve(t, runtime, {
        env: { WAITS },
      });
      const peer = await connect();
      await say("close");
      const before = performance.now();
      const { stdout, stderr, code } = await ended();
      assert(WAITS || performance.now() - before > 400, "too soon");
      assert.match(stdout, /^(.*) ----- close\ndisconnecting from \1\n$/);
      assert.equal(stderr.split("\n").length, 2); // no line for the other
      assert.deepEqual([code, await peer.output.all()], [0, ""]);
    });
  }

  test("goes on after a failed accept, and shows a mistake", async (t) => {
    for (
      const [FAULT, seen, end] of [
        ["accept", /^listening on .*\naccept EIO\n$/, 0],
        ["mistake", /\(.*server\.ts:\d+.*\)/, 1], // where it is
      ] as const
    ) {
      const env = { FAULT, NO_COLOR: "1" };
      const { connect, ended } = await serve(t, runtime, { env });
      (await connect()).end("close");
      const { stderr, code } = await ended();
      assert.match(stderr, seen);
      assert.equal(code, end);
    }
  });

  test("ends where its output is closed", async (t) => {
    const server = await serve(t, runtime, { closed: true });
    const peer = await server.connect();
    peer.end("hey");
    const { stderr, code } = await server.ended();
    assert.match(stderr, /^listening on .*\n.*EPIPE.*\n$/i);
    assert.deepEqual([code, await peer.dropped()], [1, ""]);
  });

  test("loses no line that is read late", { skip: posix }, async (t) => {
    // A pipe that nobody reads, until this test writes a line.
    const late = '"$@" </dev/null | { read -r go <&3; exec cat; }';
    const before = ["sh", "-c", `exec 3<&0; ${late}`, "sh"];
    const server = await serve(t, runtime, { before });
    const peers = [];
    for (let i = 0; i < 240; i++) {
      peers.push(await server.connect());
      peers[i]?.end(`${i} `.padEnd(900, "x"));
    }
    // A pipe has room for 64 KiB on Linux, 72 of these lines.
    const early = peers.filter(({ output }) => output.text === OK);
    assert(early.length < 100, `${early.length} replies to unwritten lines`);
    server.child.stdin.write("go\n");
    for (const peer of peers) assert.equal(await peer.dropped(), OK);
    await server.close();
  });

  test("says nothing of clients gone too soon", { skip: posix }, async (t) => {
    const { port, child, say, close } = await serve(t, runtime);
    await say("warm up");
    child.kill("SIGSTOP");
    for (const bytes of ["", "hey"]) {
      const { send, reset } = await open(port);
      await send(bytes);
      reset();
    }
    child.kill("SIGCONT");
    await close();
  });

  test("fails where it cannot listen, with the reason", async (t) => {
    const { port } = await listen(t);
    const name = "x".repeat(64); // A label has 63 letters at most (RFC 1035).
    for (
      const [env, why] of [
        [{ PORT: `${port}` }, `^.*EADDRINUSE.* 127.0.0.1:${port}\n$`],
        [{ SERVER_IP: "192.0.2.1" }, "^.* 192.0.2.1.*\n$"], // RFC 5737
        [{ SERVER_IP: name }, `^.* ${name}.*\n$`],
        [{ PORT: "abc" }, "[Pp]ort should be >= 0 and < 65536"],
      ] as const
    ) {
      const server = start(t, script(runtime, "server.ts"), { env });
      const { stdout, stderr, code } = await server.ended();
      assert.match(stderr, new RegExp(why));
      assert.deepEqual([stdout, code], ["", 1]);
    }
  });

  test("means 127.0.0.1 and 9999 where nothing is set", async (t) => {
    const env = { SERVER_IP: "", PORT: "" };
    const server = start(t, script(runtime, "server.ts"), { env });
    const seen = /(EADDRINUSE.* 127.0.0.1:|\('127.0.0.1', )9999\)?\n$/;
    const [line] = await server.stderr.match(seen);
    if (line.startsWith("(")) (await open(9999)).end("close");
    await server.ended();
  });
});

type Server = Awaited<ReturnType<typeof serve>>;

/** Starts server.ts on a free port. */
async function serve(t: TestContext, runtime: Runtime, options: Options = {}) {
  options.env = { WAITS: "{}", ...options.env };
  const running = start(t, script(runtime, "server.ts"), options);
  const { stdout, stderr, ended } = running;
  const port = await listening(running);
  const addrs: string[] = [];

  /** Connects. `line` waits for what the server prints behind the address. */
  const connect = async () => {
    const from = [stdout.text.length, stderr.text.length];
    const peer = await open(port);
    addrs.push(peer.addr);
    const line = () =>
      until(`the line of ${peer.addr}`, () => {
        const news = stdout.text.slice(from[0]) + stderr.text.slice(from[1]);
        return news.split(peer.addr)[1]?.match(/^.*(?=\n)/)?.[0] ?? null;
      });
    return { ...peer, line };
  };

  /** Says this in pieces and finishes; gives what is printed, and the reply. */
  const say = async (...pieces: (string | Uint8Array)[]) => {
    const peer = await connect();
    for (const [i, piece] of pieces.entries()) {
      // When another client has its reply, the server has read this piece.
      if (i > 0) await say("meanwhile");
      await peer.send(piece);
    }
    peer.end();
    const reply = await peer.dropped();
    return [await peer.line(), reply];
  };

  /** Says `close`, and checks that each client was worth exactly one line. */
  const close = async () => {
    assert.deepEqual(await say("close"), [" ----- close", OK]);
    const { stdout, stderr, code } = await ended();
    const expected = [`listening on ('127.0.0.1', ${port})`, ...addrs];
    expected.push(`disconnecting from ${addrs.at(-1)}`);
    const printed = (stdout + stderr).trimEnd().split("\n")
      .map((line) => line.replace(/\)(:| -----) .*/, ")"));
    assert.deepEqual(printed.sort(), expected.sort());
    assert.equal(code, 0);
  };
  return { ...running, port, connect, say, close };
}
