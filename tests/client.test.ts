// What client.ts sends, prints and says, beside any server.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { closeSync, openSync } from "node:fs";
import { connect } from "node:net";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { listen, listening, OK, start, startControlled } from "./helper.ts";
import type { Options, Peer } from "./helper.ts";
import { linux, onEach } from "./runtimes.ts";

const usage = "usage: npx tsx client.ts <message>";

/** How a client ends that has printed `text`, or nothing but the reason. */
const success = (text: string) => end(`${text}\n`, "", 0);
const failure = (reason: string, code = 1) => end("", `${reason}\n`, code);
function end(stdout: string, stderr: string, code: number) {
  return { stdout, stderr, code, signal: null };
}
const noReply = (port: number, why: string) =>
  failure(`no valid reply from ('127.0.0.1', ${port}): ${why}`);

/** A port on which nothing listens. */
async function freePort(): Promise<number> {
  const { port, close } = await listen();
  close();
  return port;
}

onEach("client.ts", (runtime) => {
  const { command, name } = runtime;

  /** Starts the client with these words. */
  const run = (
    t: TestContext,
    port: number | string,
    words: string[],
    options: Options = {},
  ) => {
    const env = { PORT: String(port), ...options.env };
    return start(t, [...command, "client.ts", ...words], { ...options, env });
  };

  /** Starts the client with `hey`; its waits are the test's to end. */
  const runControlled = (t: TestContext, env: Record<string, string>) =>
    startControlled(t, runtime, ["client.ts", "hey"], { env });

  /** Says `hey` to a server that reads that and then does as `answer` does. */
  const hear = async (t: TestContext, answer: (peer: Peer) => unknown) => {
    const { port, next } = await listen();
    const client = run(t, port, ["hey"]);
    const peer = await next(client);
    assert.equal(await peer.received(), "hey");
    await answer(peer);
    return { port, end: await client.ended() };
  };

  for (const words of [["hey", " bruh ", "ü"], ["x".repeat(1024)]]) {
    const text = words.join(" ");
    test(`sends ${text.slice(0, 20)}, and finishes sending`, async (t) => {
      const { port, next } = await listen();
      const client = run(t, port, words);
      const peer = await next(client);
      assert.equal(await peer.received(), text);
      peer.socket.end(OK);
      assert.deepEqual(await client.ended(), success(OK));
    });
  }

  test("prints a reply in pieces", async (t) => {
    const { end } = await hear(t, async (peer) => {
      const bytes = Buffer.from(`${OK} €`);
      for (const byte of bytes) await peer.send(Uint8Array.of(byte));
      peer.socket.end();
    });
    assert.deepEqual(end, success(`${OK} €`));
  });

  test("prints a reply that its server does not finish", async (t) => {
    const { end } = await hear(t, (peer) => peer.send(OK));
    assert.deepEqual(end, success(OK));
  });

  test("prints a reply of 1024 bytes, with escapes", async (t) => {
    const rest = "y".repeat(1016);
    const reply = `\x1b[2J\n%s\x7f${rest}`.slice(0, 1024);
    const { end } = await hear(t, ({ socket }) => socket.end(reply));
    assert.deepEqual(end, success(`\\u{1b}[2J\\u{a}%s\\u{7f}${rest}`));
  });

  for (
    const [why, answer] of [
      ["no bytes came", ({ socket }: Peer) => socket.end()],
      ["read ECONNRESET", ({ socket }: Peer) => socket.resetAndDestroy()],
      ["not UTF-8", ({ socket }: Peer) => socket.end(Uint8Array.of(0xff))],
      ["over 1024 bytes", (peer: Peer) => peer.send("x".repeat(1025))],
    ] as const
  ) {
    test(`says in one line of the reply: ${why}`, async (t) => {
      const { port, end } = await hear(t, answer);
      assert.deepEqual(end, noReply(port, why));
    });
  }

  test("gives up after 30 s without a complete reply", async (t) => {
    const { port, next } = await listen();
    const client = await runControlled(t, { PORT: String(port) });
    const peer = await next(client);
    for (const [i, byte] of [..."OKay"].entries()) {
      await peer.send(byte);
      await client.waits(500, i + 1);
    }
    client.pass(30_000);
    const why = "not complete in 30 s";
    assert.deepEqual(await client.ended(), noReply(port, why));
  });

  test("gives up after 30 s of connecting", { skip: linux }, async (t) => {
    // A stopped process with a queue of one: when it is full, nobody connects.
    const deaf = start(t, [
      process.execPath,
      "-e",
      `const server = require("node:net").createServer();
       server.listen(0, "127.0.0.1", 1, () =>
         console.error("listening on ('_', " + server.address().port + ")"));`,
    ]);
    const port = await listening(deaf.stderr);
    deaf.child.kill("SIGSTOP");
    const crowd = Array.from({ length: 10 }, () => connect(port, "127.0.0.1"));
    for (const socket of crowd) socket.on("error", () => {});
    const client = await runControlled(t, { PORT: String(port) });
    await client.waits(30_000);
    client.pass(30_000);
    const end = await client.ended();
    for (const socket of crowd) socket.destroy();
    assert.deepEqual(end, noReply(port, "not complete in 30 s"));
  });

  const hint = "; to start one: npx tsx server.ts";
  test("says in one line how to start a server where none is", async (t) => {
    const port = await freePort();
    const env = { HOST: "" }; // as if it were not set
    const why = `connect ECONNREFUSED 127.0.0.1:${port}${hint}`;
    const end = await run(t, port, ["hey"], { env }).ended();
    assert.deepEqual(end, noReply(port, why));
  });

  test("names the failure of a name with two addresses", {
    skip: name === "deno" && "Deno looks names up by itself",
  }, async (t) => {
    // The error for all of them at once has an empty message, and a code.
    const port = await freePort();
    const env = { PORT: String(port), HOST: "two", LOOKUP: "two" };
    const client = await runControlled(t, env);
    const why = `no valid reply from ('two', ${port}): ECONNREFUSED${hint}`;
    assert.deepEqual(await client.ended(), failure(why));
  });

  const HOST = "x".repeat(64); // A label has 63 letters at most (RFC 1035).
  const notFound = `getaddrinfo ENOTFOUND ${HOST}`;
  const unknown = failure(`no valid reply from ('${HOST}', 9999): ${notFound}`);
  const tooLong = failure("the message has 1025 bytes, not 1 to 1024");
  const notPort = "not a whole number from 0 to 65535";
  for (
    const [name, word, env, end] of [
      ["no words", [], {}, failure(usage, 2)],
      ["an empty message", "", {}, failure(usage, 2)],
      ["1025 bytes", "x".repeat(1025), {}, tooLong],
      ["a name that nobody can have", "hey", { HOST, PORT: "" }, unknown],
      ["PORT=abc", "hey", { PORT: "abc" }, failure(`PORT is abc, ${notPort}`)],
    ] as const
  ) {
    test(`fails with one line at ${name}, and sends nothing`, async (t) => {
      const { port, peers } = await listen();
      assert.deepEqual(await run(t, port, [word].flat(), { env }).ended(), end);
      assert.equal(peers.length, 0);
    });
  }

  for (const [how, why] of [["closed", "EPIPE"], ["full", "no space left"]]) {
    test(`fails where its output is ${how}`, { skip: linux }, async (t) => {
      const full = openSync("/dev/full", "w");
      const { port, next } = await listen();
      const options = how === "full" ? { stdout: full } : {};
      const client = run(t, port, ["hey"], options);
      closeSync(full);
      client.child.stdout?.destroy();
      (await next(client)).socket.end(OK);
      const { stderr, code } = await client.ended();
      const line = new RegExp(`^cannot print: .*${why}.*\n$`);
      assert.match(stderr.replace("No", "no"), line);
      assert.equal(code, 1);
    });
  }
});
