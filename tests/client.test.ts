// What client.ts sends, prints and says, beside any server.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { listen, MAX, OK, onEach, start } from "./helper.ts";
import { type Options, type Peer, script } from "./helper.ts";

const full = "x".repeat(MAX);
const none = "x".repeat(64); // A label of a name has 63 letters (RFC 1035).
const silence = { env: { WAITS: '{"500":20}' } };
const deadline = { env: { WAITS: '{"30000":300}' } };

// What a client prints and says, and its exit code, as a pattern.
const prints = (text: string) => `^${text}\n! 0$`;
const fails = (why: string) => `^! ${why}\n1$`;
const size = (n: number) => fails(`received ${n} bytes, not 1 to ${MAX}`);
const late = fails("no complete message in 30 s");
const check = async ({ ended }: ReturnType<typeof start>, end: string) => {
  const { stdout, stderr, code } = await ended();
  assert.match(`${stdout}! ${stderr}${code}`, new RegExp(end));
};

// What a server does, once it has the message, and how the client ends.
const replies: [string, (peer: Peer) => unknown, string, Options?][] = [
  ["a reply", (peer) => peer.end(OK), prints(OK)],
  ["escapes", (peer) => peer.end("\x1b%s"), prints("\\\\u{1b}%s")],
  ["the most bytes", (peer) => peer.end(full), prints(full)],
  ["no reply", (peer) => peer.end(), size(0)],
  ["too much", (peer) => peer.send(`${full}x`), size(MAX + 1)],
  ["no text", (peer) => peer.end(Buffer.of(255)), fails(".* not UTF-8")],
  ["a reset", (peer) => peer.reset(), fails("read ECONNRESET")],
  ["500 ms of silence", (peer) => peer.send(OK), prints(OK), silence],
  ["no end for 30 s", (peer) => peer.send(OK), late, deadline],
  ["no reader", (peer) => peer.end(OK), fails(".*EPIPE.*"), { closed: true }],
];

// How the client is called, and what it says before it sends anything.
const tooLong = `message has ${MAX + 1} bytes, not 1 to ${MAX}`;
const range = "(options.)?[Pp]ort should be >= 0 and < 65536.*";
const calls: [string[], Record<string, string>, string][] = [
  [[], {}, "usage: npx tsx client.ts <message>"],
  [[""], {}, "usage: npx tsx client.ts <message>"],
  [[`${full}x`], {}, tooLong],
  [["hey"], { PORT: "abc" }, range],
  [["hey"], { PORT: "1" }, "connect ECONNREFUSED 127.0.0.1:1"],
  [["hey"], { SERVER_IP: none, PORT: "" }, `getaddrinfo ENOTFOUND ${none}`],
];

onEach("client.ts", (runtime) => {
  const command = script(runtime, "client.ts");

  for (const [name, answer, end, options = {}] of replies) {
    test(`hears ${name}`, async (t) => {
      const { port, next } = await listen(t);
      const env = { PORT: `${port} `, WAITS: "{}", ...options.env };
      const all = [...command, "hey", " bruh ", "ü"];
      const client = start(t, all, { ...options, env });
      const peer = await next();
      assert.equal(await peer.output.all(), "hey  bruh  ü");
      await answer(peer);
      await check(client, end);
    });
  }

  for (const [words, more, why] of calls) {
    test(`says in one line: ${why.slice(0, 50)}`, async (t) => {
      const { port, peers } = await listen(t);
      const env = { PORT: `${port}`, ...more };
      await check(start(t, [...command, ...words], { env }), fails(why));
      assert.deepEqual(peers, []); // Nothing was sent.
    });
  }
});
