// What client.ts promises beside any server, kind or not, on every runtime.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import process from "node:process";
import { describe, test, type TestContext } from "node:test";
import {
  least,
  listen,
  pause,
  type Peer,
  run,
  type Runtime,
  runtimes,
  tsx,
} from "./helper.ts";

/** Runs client.ts with these words to its end. */
function client(
  t: TestContext,
  runtime: Runtime,
  words: string[],
  env: Record<string, string>,
  flags: string[] = [],
) {
  const command = [...runtime.command, ...flags, "client.ts", ...words];
  return run(t, command, { env }).end;
}

/** A server that reads one message, then does what `answer` says. */
function answering(t: TestContext, answer: (peer: Peer) => void) {
  return listen(t, (peer) => peer.socket.once("end", () => answer(peer)));
}

/** A port on which nothing listens. */
async function freePort(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  return String(port);
}

for (const runtime of runtimes) {
  describe(`the client on ${runtime.name}`, {
    skip: runtime.missing,
    concurrency: 6,
  }, () => {
    test("sends its words, joined by one space, and ends its half", async (t) => {
      let got = "";
      const server = await listen(t, async (peer) => {
        got = await peer.reply();
        peer.socket.end("OKay got it");
      });
      const { code, stdout, stderr } = await client(
        t,
        runtime,
        ["hey", " bruh ", "ü"],
        { PORT: String(server.port) },
      );
      assert.equal(got, "hey  bruh  ü");
      assert.equal(stdout, "OKay got it\n");
      assert.equal(stderr, "");
      assert.equal(code, 0);
    });

    test("sends 1024 bytes and prints 1024 bytes", async (t) => {
      let got = "";
      const server = await listen(t, async (peer) => {
        got = await peer.reply();
        peer.socket.end("y".repeat(1024));
      });
      const { code, stdout } = await client(t, runtime, ["x".repeat(1024)], {
        PORT: String(server.port),
      });
      assert.equal(got, "x".repeat(1024));
      assert.equal(stdout, "y".repeat(1024) + "\n");
      assert.equal(code, 0);
    });

    for (
      const [name, answer, text] of [
        ["in pieces", async (peer: Peer) => {
          peer.socket.setNoDelay(true);
          for (const byte of Buffer.from("OKay got it €")) {
            await peer.send(Buffer.of(byte));
            await pause(5);
          }
          peer.socket.end();
        }, "OKay got it €"],
        [
          "from a server that then keeps the connection open",
          (peer: Peer) => peer.send("OKay got it"),
          "OKay got it",
        ],
        [
          "with escapes, a forged line and %",
          (peer: Peer) => peer.socket.end("\x1b[2J\nOKay %s got it\u202e\n"),
          "\\u{1b}[2J\\u{a}OKay %s got it\\u{202e}",
        ],
      ] as const
    ) {
      test(`prints a reply ${name}`, async (t) => {
        const server = await answering(t, answer);
        const end = await client(t, runtime, ["hey"], {
          PORT: String(server.port),
        });
        assert.deepEqual(end, {
          code: 0,
          signal: null,
          stdout: `${text}\n`,
          stderr: "",
        });
      });
    }

    test("ends at once after the reply where the server does not", async (t) => {
      const server = await answering(t, (peer) => peer.send("OKay got it"));
      const env = { PORT: String(server.port) };
      const took = await least(400, async () => {
        const command = [...runtime.command, "client.ts", "hey"];
        const running = run(t, command, { env });
        await running.stdout.until(/OKay got it\n/);
        const start = performance.now();
        assert.equal((await running.end).code, 0);
        return performance.now() - start;
      });
      assert(took < 400, `ended after ${took} ms`);
    });

    for (
      const [name, answer, why] of [
        [
          "a close without a word",
          (peer: Peer) => peer.socket.end(),
          /closed without a message/,
        ],
        [
          "a reset",
          (peer: Peer) => peer.socket.resetAndDestroy(),
          /ECONNRESET/,
        ],
        ["a reset within the reply", async (peer: Peer) => {
          await peer.send("OKay");
          await pause(50);
          peer.socket.resetAndDestroy();
        }, /ECONNRESET/],
        [
          "a reply that is not UTF-8",
          (peer: Peer) => peer.socket.end(Buffer.of(0x4f, 0xff)),
          /encod/,
        ],
        [
          "a reply of 1025 bytes",
          (peer: Peer) => peer.socket.end("x".repeat(1025)),
          /more than 1024 bytes/,
        ],
        ["an endless reply", async (peer: Peer) => {
          const chunk = Buffer.alloc(65_536, "x");
          for (let i = 0; i < 1024 && !peer.socket.destroyed; i++) {
            await peer.send(chunk);
          }
        }, /more than 1024 bytes/],
      ] as const
    ) {
      test(`says in one line that there was ${name}`, async (t) => {
        const server = await answering(t, answer);
        const { code, stdout, stderr } = await client(t, runtime, ["hey"], {
          PORT: String(server.port),
        });
        assert.equal(stdout, "");
        assert.match(stderr, /^[^\n]+\n$/);
        assert(stderr.startsWith(`127.0.0.1:${server.port}: `), stderr);
        assert.match(stderr, why);
        assert.equal(code, 1);
      });
    }

    for (
      const [name, answer] of [
        ["no reply", () => {}],
        ["one byte at a time for ever", async (peer: Peer) => {
          for (let i = 0; i < 500 && !peer.socket.destroyed; i++) {
            await peer.send("x");
            await pause(20);
          }
        }],
      ] as const
    ) {
      test(`gives up after 30 s of ${name}`, async (t) => {
        const server = await answering(t, answer);
        const { code, stdout, stderr } = await client(
          t,
          runtime,
          ["hey"],
          { PORT: String(server.port), CLOCK: "30000=700" },
          [runtime.preload, "./tests/clock.ts"],
        );
        assert.equal(stdout, "");
        assert.match(stderr, /^127\.0\.0\.1:\d+: [^\n]*30 s[^\n]*\n$/);
        assert.equal(code, 1);
      });
    }

    test("says in one line how to start a server where none is", async (t) => {
      const PORT = await freePort();
      const { code, stdout, stderr } = await client(t, runtime, ["hey"], {
        PORT,
      });
      assert.equal(stdout, "");
      assert.match(
        stderr,
        new RegExp(`^127\\.0\\.0\\.1:${PORT}: .*npx tsx server\\.ts\\n$`),
      );
      assert.equal(code, 1);
    });

    for (
      const [name, words, env, line, exit] of [
        ["no words", [], {}, /^usage: npx tsx client\.ts [^\n]+\n$/, 2],
        ["an empty message", [""], {}, /^usage: [^\n]+\n$/, 2],
        [
          "more than 1024 bytes",
          ["x".repeat(1025)],
          {},
          /^[^\n]*\b1025\b[^\n]*\b1024\b[^\n]*\n$/,
          1,
        ],
        [
          "a name that nobody has", // RFC 6761
          ["hey"],
          { HOST: "no-such-host.invalid", PORT: "" },
          /^no-such-host\.invalid:9999: [^\n]+\n$/,
          1,
        ],
        [
          "port 0 of an IPv6 address",
          ["hey"],
          { HOST: "::1", PORT: "0" },
          /^\[::1\]:0: [^\n]+ 1 to 65535\n$/,
          1,
        ],
        ...["0", "abc", "65536"].map((
          PORT,
        ) =>
          [
            `PORT ${JSON.stringify(PORT)}`,
            ["hey"],
            { PORT },
            new RegExp(`^127\\.0\\.0\\.1:${PORT}: [^\\n]* 1 to 65535\\n$`),
            1,
          ] as const
        ),
      ] as const
    ) {
      test(`fails with one line at ${name}`, async (t) => {
        const { code, stdout, stderr } = await client(
          t,
          runtime,
          [...words],
          env,
        );
        assert.equal(stdout, "");
        assert.match(stderr, line);
        assert.equal(code, exit);
      });
    }

    test("sends nothing of a message that is too long", async (t) => {
      let connections = 0;
      const server = await listen(t, () => connections++);
      const words = ["x".repeat(1025)];
      const { code } = await client(t, runtime, words, {
        PORT: String(server.port),
      });
      assert.equal(code, 1);
      assert.equal(connections, 0);
    });
  });
}

test("names the failure of a name with two addresses", async (t) => {
  // Node's error for all of them at once has an empty message, and a code.
  const twoAddresses = `data:text/javascript,
    import dns from "node:dns";
    dns.lookup = (name, options, callback) => callback(null, [
      { address: "127.0.0.1", family: 4 }, { address: "::1", family: 6 }]);`;
  const PORT = await freePort();
  const { code, stderr } = await client(
    t,
    tsx,
    ["hey"],
    { HOST: "two.invalid", PORT },
    ["--import", twoAddresses],
  );
  assert.match(
    stderr,
    new RegExp(`^two\\.invalid:${PORT}: ECONNREFUSED[^\\n]* server\\.ts\\n$`),
  );
  assert.equal(code, 1);
});

test("gives up after 30 s of connecting, too", {
  skip: process.platform === "linux" ? false : "counts on Linux's full queue",
}, async (t) => {
  // A stopped process with a queue of one: when it is full, nobody connects.
  const deaf = run(t, [
    process.execPath,
    "-e",
    `const server = require("node:net").createServer();
     server.listen(0, "127.0.0.1", 1, () => console.log(server.address().port));`,
  ]);
  const [port] = await deaf.stdout.until(/\d+(?=\n)/);
  deaf.child.kill("SIGSTOP");
  const { connect } = await import("node:net");
  for (let i = 0; i < 10; i++) {
    const socket = connect(Number(port), "127.0.0.1").on("error", () => {});
    t.after(() => socket.destroy());
  }
  const { code, stderr } = await client(
    t,
    tsx,
    ["hey"],
    { PORT: port!, CLOCK: "30000=700" },
    ["--import", "./tests/clock.ts"],
  );
  assert.match(stderr, /^127\.0\.0\.1:\d+: [^\n]*30 s[^\n]*\n$/);
  assert.equal(code, 1);
});
