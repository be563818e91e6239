// What client.ts sends, prints and says, beside any server.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { listen, MAX, OK, onEach, type Peer, start } from "./helper.ts";

const full = "x".repeat(MAX);
const noName = "x".repeat(64); // A label of a name has 63 letters (RFC 1035).
const notFound = `getaddrinfo ENOTFOUND ${noName}`;
const usage = "usage: npx tsx client.ts MESSAGE";
const tooLong = `message too long: ${MAX + 1} bytes, at most ${MAX}`;
const notUTF8 = "received bytes that are not UTF-8";

const prints = (text: string) => ({ stdout: `${text}\n`, stderr: "", code: 0 });
const fails = (why: string) => ({ stdout: "", stderr: `${why}\n`, code: 1 });

/** What a server does (send() never finishes), and how the client ends. */
const answers: [string, (peer: Peer) => unknown, ReturnType<typeof prints>][] =
  [
    ["prints the reply", (peer) => peer.end(OK), prints(OK)],
    ["prints the most bytes", (peer) => peer.end(full), prints(full)],
    ["shows controls", (peer) => peer.end("\x1b%s"), prints("?%s")],
    ["fails without a reply", (peer) => peer.end(), fails("received nothing")],
    ["refuses a byte more", (peer) => peer.send(`${full}x`), fails(tooLong)],
    ["refuses a bad byte", (peer) => peer.end(Buffer.of(255)), fails(notUTF8)],
    ["fails at a reset", (peer) => peer.reset(), fails("read ECONNRESET")],
    ["waits 500 ms", (peer) => peer.send(OK), prints(OK)],
  ];

/** How the client is called, and what it says before it sends anything. */
const calls: [string, string[], Record<string, string>, string][] = [
  ["wants a message", [], {}, usage],
  ["wants a message that is not empty", [""], {}, usage],
  ["does not send a byte more", [`${full}x`], {}, tooLong],
  ["needs a server", ["x"], { PORT: "1" }, "connect ECONNREFUSED 127.0.0.1:1"],
  ["needs its name", ["x"], { SERVER_IP: noName }, notFound],
];

onEach("client.ts", (runtime) => {
  const command = [...runtime.command, "client.ts"];

  for (const [name, answer, end] of answers) {
    test(name, async (t) => {
      const { port, peers } = await listen(t);
      // cmd.exe leaves a space behind the port: set PORT=8888 && npx ...
      const env = { PORT: `${port} ` };
      const client = start(t, [...command, "hey", " bruh ", "ü"], { env });
      const peer = await client.finds("a server", () => peers.shift() ?? null);
      assert.equal(await peer.output.all(), "hey  bruh  ü");
      await answer(peer);
      assert.deepEqual(await client.ended(), end);
    });
  }

  for (const [name, words, env, why] of calls) {
    test(name, async (t) => {
      const { port, peers } = await listen(t);
      const all = { env: { PORT: port, ...env } };
      const client = start(t, [...command, ...words], all);
      assert.deepEqual(await client.ended(), fails(why));
      assert.equal(peers.length, 0, "it has connected");
    });
  }

  test("refuses a PORT that is no port", async (t) => {
    const client = start(t, [...command, "hey"], { env: { PORT: "abc" } });
    const { stdout, stderr, code } = await client.ended();
    assert.match(stderr, /^.*[Pp]ort should be >= 0 and < 65536.*\n$/);
    assert.deepEqual([stdout, code], ["", 1]);
  });
});
