// What a message is: where it ends, however TCP cuts it, and what is printed.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { serve, type Server } from "./helper.ts";
import { onEach } from "./runtimes.ts";

onEach("a message to server.ts", (runtime) => {
  let server: Server;
  before(async () => {
    server = await serve(undefined, runtime);
  });

  test("may come one byte at a time", async (t) => {
    const peer = await server.open(t);
    for (const byte of "hey bruh") {
      await server.send(peer, byte);
    }
    peer.socket.end();
    await server.answered(peer, "hey bruh");
  });

  test("may be cut within a character", async (t) => {
    const peer = await server.open(t);
    await server.send(peer, Uint8Array.of(0xe2, 0x82));
    peer.socket.end(Uint8Array.of(0xac));
    await server.answered(peer, "€");
  });

  test("ends after 500 ms of silence, and not before", async (t) => {
    const peer = await server.open(t);
    await server.send(peer, "hey ");
    await server.send(peer, "bruh");
    await server.answered(await server.say(t, "meanwhile"), "meanwhile");
    assert.equal(peer.output.text, "");
    server.running.pass(500);
    await server.answered(peer, "hey bruh");
  });

  for (
    const [name, bytes, text] of [
      ["a carriage return and a line feed", "hey\r\n", "hey"],
      ["two line feeds", "hey\n\n", "hey\\u{a}"],
      ["nothing but a line feed", "\n", ""],
      ["a byte order mark", "\ufeffhey", "\ufeffhey"],
      ["%", "100% %s %d %j %o %c %%", "100% %s %d %j %o %c %%"],
      ["a character of four bytes", "😀", "😀"],
      ["an escape sequence", "\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"],
      ["a forged line", "\n('1.2.3.4', 5)", "\\u{a}('1.2.3.4', 5)"],
      [
        "line breaks of every kind",
        "\n.\r.\v.\f.\x85.\u2028.\u2029",
        "\\u{a}.\\u{d}.\\u{b}.\\u{c}.\\u{85}.\\u{2028}.\\u{2029}",
      ],
      [
        "bidirectional controls",
        "\u061c\u200e\u200f\u202a\u202e\u2066\u2069",
        "\\u{61c}\\u{200e}\\u{200f}\\u{202a}\\u{202e}\\u{2066}\\u{2069}",
      ],
      ["1024 bytes", "x".repeat(1024), "x".repeat(1024)],
    ] as const
  ) {
    test(`with ${name} is printed as one line and answered`, async (t) => {
      await server.answered(await server.say(t, bytes), text);
    });
  }

  test("closes the server if it is `close`, and only that", async (t) => {
    for (const text of ["close ", " close", "Close", "close!", "closed"]) {
      await server.answered(await server.say(t, text), text);
    }
  });

  test("is answered 500 times at once, and printed once each", async (t) => {
    const peers = await Promise.all(
      Array.from({ length: 500 }, (_, i) => server.say(t, `no. ${i}`)),
    );
    for (const [i, peer] of peers.entries()) {
      await server.answered(peer, `no. ${i}`);
    }
  });

  test("is printed and answered once, all of them", async (t) => {
    await server.close(t);
  });
});
