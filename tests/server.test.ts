// What server.ts promises to any peer, kind or not, on every runtime.

import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
} from "node:fs";
import process from "node:process";
import {
  after,
  before,
  beforeEach,
  describe,
  test,
  type TestContext,
} from "node:test";
import {
  inPieces,
  least,
  lines,
  listen,
  open,
  pause,
  type Peer,
  run,
  type Running,
  runtimes,
  say,
  serve,
  until,
} from "./helper.ts";

const OK = "OKay got it";
const linux = process.platform === "linux" ? false : "reads Linux's /proc";

/** Whether a process holds the server's end of a peer's connection open. */
function isHeld(port: number, peer: Peer): boolean {
  const hex = (port: number) =>
    ":" + port.toString(16).toUpperCase().padStart(4, "0");
  return readFileSync("/proc/net/tcp", "utf8").split("\n").some((line) => {
    const [, local, remote, , , , , , , inode] = line.trim().split(/\s+/);
    return local?.endsWith(hex(port)) && remote?.endsWith(hex(peer.port)) &&
      inode !== "0"; // nobody's: the kernel alone waits for its end
  });
}

/** The most memory that a process has held, in MiB. */
function peak(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(status.match(/VmHWM:\s+(\d+) kB/)![1]) / 1024;
}

/** The lines that the server prints for a peer, once there is one. */
async function printed(server: Running, peer: Peer): Promise<string[]> {
  const line = new RegExp(`^${escapeRegExp(peer.addr)} -----.*\n`, "m");
  await server.stdout.until(line);
  return lines(server.stdout.recent, peer.addr);
}

/** The lines that it says on standard error, and none, of a refused peer. */
async function said(server: Running, peer: Peer): Promise<string[]> {
  const line = new RegExp(`^${escapeRegExp(peer.addr)}.*\n`, "m");
  await server.stderr.until(line);
  assert.deepEqual(lines(server.stdout.recent, peer.addr), []);
  return lines(server.stderr.recent, peer.addr);
}

for (const runtime of runtimes) {
  const onNode = runtime.name === "tsx" || runtime.name === "node";

  describe(`one server on ${runtime.name}, many peers`, {
    skip: runtime.missing,
  }, () => {
    let server: Running & { port: number };
    const cleanups: (() => void)[] = [];
    before(async () => {
      const suite = { after: (f: () => void) => cleanups.push(f) };
      server = await serve(suite as never, runtime);
    });
    beforeEach(() => {
      server.stdout.mark();
      server.stderr.mark();
    });
    after(async () => {
      try {
        await say({ after() {} }, server.port, "close");
        const { code, stdout, stderr } = await server.end;
        assert.equal(code, 0);
        assert.doesNotMatch(stdout + stderr, /undefined|^ +at /m);
      } finally {
        cleanups.forEach((cleanup) => cleanup());
      }
    });

    test("prints the message, then replies, and both halves end", async (t) => {
      const peer = await say(t, server.port, "hey bruh");
      assert.equal(peer.got, OK);
      assert.equal(peer.error, undefined);
      assert.deepEqual(await printed(server, peer), [
        `('127.0.0.1', ${peer.addr.match(/\d+(?=\))/)}) ----- hey bruh`,
      ]);
    });

    test("reads a message that comes one byte at a time", async (t) => {
      const peer = await inPieces(t, server.port, "hey bruh", 5);
      peer.socket.end();
      assert.equal(await peer.reply(), OK);
      assert.deepEqual(await printed(server, peer), [
        peer.line("hey bruh"),
      ]);
    });

    test("reads a character that is cut in two", async (t) => {
      const half = [Buffer.of(0xe2, 0x82)];
      const peer = await inPieces(t, server.port, half, 50);
      peer.socket.end(Buffer.of(0xac));
      assert.equal(await peer.reply(), OK);
      assert.deepEqual(await printed(server, peer), [peer.line("€")]);
    });

    test("takes a message for whole after 500 ms without more", async (t) => {
      const waited = await least(700, async () => {
        // In all longer than 500 ms, but never quiet for so long.
        const peer = await inPieces(t, server.port, "hey bru", 100);
        const start = performance.now();
        await peer.send("h");
        assert.equal(await peer.reply(), OK);
        const waited = performance.now() - start;
        assert.deepEqual(await printed(server, peer), [peer.line("hey bruh")]);
        return waited;
      });
      assert(waited > 480 && waited < 700, `replied after ${waited} ms`);
    });

    test("does not wait where the client ends its half", async (t) => {
      // Ten in a row would take 5 s if each were waited for.
      const start = performance.now();
      for (let i = 0; i < 10; i++) {
        assert.equal((await say(t, server.port, "hey")).got, OK);
      }
      assert(performance.now() - start < 4500);
    });

    for (
      const [name, bytes, text] of [
        ["a line feed", "hey\n", "hey"],
        ["a carriage return and a line feed", "hey\r\n", "hey"],
        ["two line feeds", "hey\n\n", "hey\\u{a}"],
        ["a carriage return alone", "hey\r", "hey\\u{d}"],
        ["a line feed alone", "\n", ""],
        ["a byte order mark", "\ufeffhey", "\ufeffhey"],
        ["%", "100% %s %d %j %o %c %%", "100% %s %d %j %o %c %%"],
        [
          "escapes",
          "\x1b[2J\x1b]0;title\x07",
          "\\u{1b}[2J\\u{1b}]0;title\\u{7}",
        ],
        [
          "a forged line",
          "hey\n('1.2.3.4', 5) ----- hey",
          "hey\\u{a}('1.2.3.4', 5) ----- hey",
        ],
        [
          "line breaks of every kind",
          "a\nb\rc\x0bd\x0ce\x85f\u2028g\u2029h",
          "a\\u{a}b\\u{d}c\\u{b}d\\u{c}e\\u{85}f\\u{2028}g\\u{2029}h",
        ],
        [
          "bidirectional controls",
          "a\u061cb\u200ec\u200fd\u202ae\u202ef\u2066g\u2069h",
          "a\\u{61c}b\\u{200e}c\\u{200f}d\\u{202a}e\\u{202e}f\\u{2066}g" +
          "\\u{2069}h",
        ],
        ["1024 bytes", "x".repeat(1024), "x".repeat(1024)],
        ["one byte", "x", "x"],
      ] as const
    ) {
      test(`prints ${name} as one line and replies`, async (t) => {
        const peer = await say(t, server.port, bytes);
        assert.equal(peer.got, OK);
        assert.deepEqual(await printed(server, peer), [
          peer.line(text),
        ]);
      });
    }

    for (const text of ["close ", " close", "Close", "close\n\n", "closed"]) {
      test(`goes on after ${JSON.stringify(text)}`, async (t) => {
        assert.equal((await say(t, server.port, text)).got, OK);
        assert.equal((await say(t, server.port, "still here")).got, OK);
      });
    }

    for (
      const [name, bytes, why] of [
        ["no bytes at all", [], /closed without a message/],
        ["1025 bytes", Buffer.alloc(1025, "x"), /more than 1024 bytes/],
        ["a continuation byte alone", [0x68, 0x80], /encod/],
        ["a lead byte alone", [0x68, 0xe2, 0x82], /encod/],
        ["an overlong form", [0xc0, 0xaf], /encod/],
        ["a surrogate", [0xed, 0xa0, 0x80], /encod/],
        ["a code point past U+10FFFF", [0xf4, 0x90, 0x80, 0x80], /encod/],
        ["a byte that UTF-8 never has", [0xff], /encod/],
      ] as const
    ) {
      test(`refuses ${name} with one line and no reply`, async (t) => {
        const peer = await say(t, server.port, Uint8Array.from(bytes));
        assert.equal(peer.got, "");
        const [line, ...more] = await said(server, peer);
        assert.match(line!, why);
        assert.deepEqual(more, []);
      });
    }

    test("refuses a sender that never stops, in little memory", {
      skip: linux,
    }, async (t) => {
      const before = peak(server.child.pid!);
      const chunk = Buffer.alloc(65_536, "x");
      await Promise.all(Array.from({ length: 20 }, async () => {
        const peer = await open(t, server.port);
        let sent = 0;
        while (!peer.socket.destroyed && sent < 1024) {
          await peer.send(chunk);
          sent++;
        }
        assert(sent < 1024, "64 MiB were taken");
        assert.equal(await peer.closed(), "");
        assert.equal((await said(server, peer)).length, 1);
      }));
      const grown = peak(server.child.pid!) - before;
      assert(grown < 64, `${grown} MiB more at the peak`);
    });

    for (
      const [name, bytes] of [
        ["before", ""],
        ["within", "hey br"],
        ["before the end of", "hey bruh"],
        ["within a character of", Buffer.of(0xe2)],
      ] as const
    ) {
      test(`survives a reset ${name} the message`, async (t) => {
        let peer = await open(t, server.port);
        // On a busy machine, until it takes less than the quiet time.
        for (let tries = 0, took = 500; tries < 20 && took > 400; tries++) {
          if (tries > 0) peer = await open(t, server.port);
          const start = performance.now();
          if (bytes.length > 0) await peer.send(bytes);
          // A later client is answered, so these bytes have been read.
          assert.equal((await say(t, server.port, "later")).got, OK);
          took = performance.now() - start;
        }
        peer.socket.resetAndDestroy();
        const [line, ...more] = await said(server, peer);
        assert.match(line!, /ECONNRESET/);
        assert.deepEqual(more, []);
      });
    }

    test("survives a reset after the message", async (t) => {
      const peer = await open(t, server.port);
      peer.socket.pause();
      peer.socket.end("hey");
      await printed(server, peer);
      peer.socket.destroy(); // with the reply unread, so TCP resets
      assert.equal((await say(t, server.port, "still here")).got, OK);
      assert.deepEqual(await printed(server, peer), [peer.line("hey")]);
    });

    test("100 silent clients cost one that talks nothing", async (t) => {
      const silent = await Promise.all(
        Array.from({ length: 100 }, () => open(t, server.port)),
      );
      assert.equal((await say(t, server.port, "hey bruh")).got, OK);
      assert(silent.every((peer) => !peer.socket.closed));
      for (const peer of silent) peer.socket.destroy();
    });

    test("answers 500 clients at once and prints each once", async (t) => {
      const peers = await Promise.all(
        Array.from({ length: 500 }, (_, i) => say(t, server.port, `no. ${i}`)),
      );
      for (const peer of peers) assert.equal(peer.got, OK);
      for (const peer of peers) await printed(server, peer);
      const all = lines(server.stdout.recent, "----- no. ");
      const expected = peers.map((peer, i) => peer.line(`no. ${i}`));
      assert.deepEqual(all.sort(), expected.sort());
    });

    test("drops a client that goes on sending after the reply", async (t) => {
      const peer = await open(t, server.port);
      await peer.send("hey");
      assert.equal(await peer.reply(), OK);
      let sent = 0;
      for (; sent < 100 && !peer.socket.destroyed; sent++) {
        await peer.send("x");
        await pause(50);
      }
      assert(sent < 100, "still taken after 100 more");
      assert.equal(await peer.closed(), OK);
      assert.deepEqual(await printed(server, peer), [
        peer.line("hey"),
      ]);
    });
  });

  describe(`a server of its own on ${runtime.name}`, {
    skip: runtime.missing,
    concurrency: 4,
  }, () => {
    test("drops a client that has not ended its half 500 ms after", {
      skip: linux,
    }, async (t) => {
      const server = await serve(t, runtime);
      const held = await least(800, async () => {
        const peer = await open(t, server.port);
        await peer.send("hey");
        assert.equal(await peer.reply(), OK);
        const start = performance.now();
        assert(isHeld(server.port, peer));
        await until("drop", () => !isHeld(server.port, peer));
        return performance.now() - start;
      });
      assert(held > 400 && held < 800, `dropped after ${held} ms`);
      assert.equal(server.stderr.text.split("\n").length, 2);
    });

    test("cuts nothing when it is stopped in the middle of a message", {
      skip: process.platform === "win32" ? "no SIGSTOP" : false,
    }, async (t) => {
      const server = await serve(t, runtime);
      assert.equal((await say(t, server.port, "warm up")).got, OK);
      let peers: Peer[] = [];
      // On a busy machine, until all have sent in less than the quiet time.
      for (let tries = 0, took = 500; tries < 10 && took > 300; tries++) {
        peers = await Promise.all(
          Array.from({ length: 20 }, () => open(t, server.port)),
        );
        const start = performance.now();
        await Promise.all(peers.map((peer) => peer.send("hey ")));
        assert.equal((await say(t, server.port, "all are read")).got, OK);
        server.child.kill("SIGSTOP");
        took = performance.now() - start;
        if (took > 300) server.child.kill("SIGCONT");
      }
      for (const peer of peers) await peer.send("bruh");
      await pause(900); // longer than the quiet time
      server.child.kill("SIGCONT");
      for (const peer of peers) {
        assert.equal(await peer.reply(), OK);
        assert.deepEqual(await printed(server, peer), [peer.line("hey bruh")]);
      }
    });

    test("reads what comes while it is about to decide", async (t) => {
      const server = await serve(t, runtime, {
        flags: [runtime.preload, "./tests/clock.ts"],
        // The last look comes 20 ms after the 500.
        env: { CLOCK: "20=2500,30000=30000" },
      });
      const peer = await open(t, server.port);
      await peer.send("hey ");
      await pause(1500);
      await peer.send("bruh");
      assert.equal(await peer.reply(), OK);
      assert.deepEqual(await printed(server, peer), [peer.line("hey bruh")]);
      assert.equal((await say(t, server.port, "close")).got, OK);
      assert.equal((await server.end).code, 0);
    });

    test("refuses unread a client that was gone before its turn", {
      skip: process.platform === "win32" ? "no SIGSTOP" : false,
    }, async (t) => {
      const server = await serve(t, runtime);
      assert.equal((await say(t, server.port, "warm up")).got, OK);
      server.child.kill("SIGSTOP");
      const peer = await open(t, server.port);
      await peer.send("hey");
      peer.socket.resetAndDestroy();
      server.child.kill("SIGCONT");
      await server.stderr.until(/reset/i);
      assert.equal((await say(t, server.port, "close")).got, OK);
      const { code, stdout, stderr } = await server.end;
      assert.equal(code, 0);
      assert.doesNotMatch(stdout, /hey/);
      assert.doesNotMatch(stdout + stderr, /undefined/);
    });

    test("drops who says nothing, or one byte at a time for ever", async (t) => {
      const server = await serve(t, runtime, {
        flags: [runtime.preload, "./tests/clock.ts"],
        env: { CLOCK: "30000=700" },
      });
      const silent = await open(t, server.port);
      const slow = await open(t, server.port);
      slow.socket.setNoDelay(true);
      const start = performance.now();
      for (let i = 0; i < 500 && !slow.socket.destroyed; i++) {
        await slow.send("x");
        await pause(20);
      }
      assert(performance.now() - start > 600);
      assert.equal(await slow.closed(), "");
      assert.equal(await silent.reply(), "");
      await server.stderr.until(/30 s.*\n.*30 s/);
      for (const peer of [silent, slow]) {
        const [line, ...more] = lines(server.stderr.text, peer.addr);
        assert.match(line!, /30 s/);
        assert.deepEqual(more, []);
      }
      assert.equal(server.stdout.text, "");
    });

    test("closes at once where nobody is left", async (t) => {
      const server = await serve(t, runtime, {
        flags: [runtime.preload, "./tests/clock.ts"],
        env: { CLOCK: "500=15000,30000=30000" },
      });
      const start = performance.now();
      const peer = await say(t, server.port, "close");
      assert.equal(peer.got, OK);
      const { code, stdout, stderr } = await server.end;
      assert(performance.now() - start < 10_000);
      assert.equal(code, 0);
      assert.equal(
        stdout,
        `${peer.line("close")}\ndisconnecting from ${peer.addr}\n`,
      );
      assert.equal(stderr, `listening on 127.0.0.1:${server.port}\n`);
    });

    test("ends within a second of close beside silent clients", async (t) => {
      const took = await least(1000, async () => {
        const server = await serve(t, runtime);
        const silent = await open(t, server.port);
        const half = await open(t, server.port);
        await half.send("never to be w");
        const start = performance.now();
        const peer = await say(t, server.port, "close");
        assert.equal(peer.got, OK);
        const { code, stdout } = await server.end;
        const took = performance.now() - start;
        assert.equal(code, 0);
        assert.equal(await silent.reply(), "");
        const whole = lines(stdout, half.addr).length === 1;
        assert.equal(await half.reply(), whole ? OK : "");
        return took;
      });
      assert(took > 450 && took < 1000, `ended after ${took} ms`);
    });

    test("lets who is under way finish after close", async (t) => {
      const server = await serve(t, runtime, {
        flags: [runtime.preload, "./tests/clock.ts"],
        env: { CLOCK: "500=15000,30000=30000" },
      });
      const peer = await open(t, server.port);
      assert.equal((await say(t, server.port, "first")).got, OK);
      const closer = await say(t, server.port, "close");
      await server.stdout.until(/disconnecting from/);
      await assert.rejects(open(t, server.port), { code: "ECONNREFUSED" });
      peer.socket.end("close");
      assert.equal(await peer.closed(), OK);
      const { code, stdout } = await server.end;
      assert.equal(code, 0);
      assert.deepEqual(stdout.trimEnd().split("\n").slice(1), [
        closer.line("close"),
        `disconnecting from ${closer.addr}`,
        peer.line("close"),
      ]);
    });

    test("close while 60 are under way: printed is answered", async (t) => {
      const server = await serve(t, runtime);
      const peers = await Promise.all(
        Array.from({ length: 60 }, () => open(t, server.port)),
      );
      const closer = await open(t, server.port);
      for (const [i, peer] of peers.entries()) {
        if (i === 30) closer.socket.end("close");
        peer.socket.write("hey ", () => peer.socket.end("bruh"));
      }
      const answers = await Promise.all(peers.map((peer) => peer.closed()));
      assert.equal(await closer.closed(), OK);
      const { code, stdout } = await server.end;
      assert.equal(code, 0);
      for (const [i, peer] of peers.entries()) {
        assert.deepEqual(
          lines(stdout, peer.addr),
          answers[i] === OK ? [peer.line("hey bruh")] : [],
        );
      }
      assert(answers.includes(OK));
      assert.equal(lines(stdout, "disconnecting from").length, 1);
    });

    test("lives on when its file descriptors are used up", {
      skip: linux,
    }, async (t) => {
      const deno = runtime.name === "deno";
      const server = await serve(t, runtime, {
        before: ["sh", "-c", 'ulimit -n 64 && exec "$@"', "sh"],
        // A known limit of Deno 2.9: it panics or hangs, the least of servers too.
        script: deno ? "tests/least.ts" : "server.ts",
      });
      const crowd = await Promise.allSettled(
        Array.from({ length: 120 }, () => open(t, server.port)),
      );
      await until("all descriptors used", () => {
        const fds = `/proc/${server.child.pid}/fd`;
        return !existsSync(fds) || readdirSync(fds).length >= 60;
      });
      for (const { value } of crowd as PromiseFulfilledResult<Peer>[]) {
        value?.socket.destroy();
      }
      if (deno) {
        const got = await Promise.race([
          say(t, server.port, "hey").then((peer) => peer.got, () => "none"),
          pause(3000).then(() => "none"),
        ]);
        return assert.equal(got, "none", "Deno is mended: drop this exception");
      }
      let got = "";
      for (let i = 0; i < 100 && got !== OK; i++) {
        got = (await say(t, server.port, "hey")).got;
        if (got !== OK) await pause(50);
      }
      assert.equal(got, OK);
      assert.equal((await say(t, server.port, "close")).got, OK);
      assert.equal((await server.end).code, 0);
    });

    // Promised on Node alone.
    if (onNode) {
      test("ends when its standard output is closed", async (t) => {
        const server = await serve(t, runtime);
        server.child.stdout!.destroy();
        const peer = await say(t, server.port, "hey");
        assert.equal(peer.got, "");
        const { code, stderr } = await server.end;
        assert.equal(code, 1);
        assert.match(stderr, /^listening on .*\n127.0.0.1:\d+: .*EPIPE.*\n$/);
      });
    }

    if (onNode) {
      test("ends when its standard output is full", {
        skip: linux,
      }, async (t) => {
        const full = openSync("/dev/full", "w");
        t.after(() => closeSync(full));
        const server = await serve(t, runtime, { stdout: full });
        const peer = await say(t, server.port, "hey");
        assert.equal(peer.got, "");
        const { code, stderr } = await server.end;
        assert.equal(code, 1);
        assert.match(stderr, /^listening on .*\n127.0.0.1:\d+: .*ENOSPC.*\n$/);
      });
    }

    test("ends at once on Ctrl-C", {
      skip: process.platform === "win32" ? "no SIGINT" : false,
    }, async (t) => {
      const server = await serve(t, runtime);
      await open(t, server.port);
      process.kill(-server.child.pid!, "SIGINT");
      const { code, signal, stderr } = await server.end;
      assert(signal === "SIGINT" || code === 130, `${signal} ${code}`);
      assert.equal(stderr, `listening on 127.0.0.1:${server.port}\n`);
    });
  });

  describe(`a start on ${runtime.name}`, {
    skip: runtime.missing,
    concurrency: 4,
  }, () => {
    /** Starts a server that cannot, and compares how it says so. */
    const fails = async (
      t: TestContext,
      env: Record<string, string>,
      line: RegExp,
    ) => {
      const command = [...runtime.command, "server.ts"];
      const { code, stdout, stderr } = await run(t, command, { env }).end;
      assert.equal(code, 1);
      assert.equal(stdout, "");
      assert.match(stderr, line);
    };

    test("listens on ::1 if HOST says so", async (t) => {
      const server = await serve(t, runtime, { env: { HOST: "::1" } });
      const peer = await open(t, server.port, "::1");
      peer.socket.end("close");
      assert.equal(await peer.closed(), OK);
      const { code, stdout, stderr } = await server.end;
      assert.equal(code, 0);
      assert.equal(stderr, `listening on [::1]:${server.port}\n`);
      assert.match(stdout, /^\('::1', \d+\) ----- close\n/);
    });

    test("fails with one line where the port is taken", async (t) => {
      const other = await listen(t, () => {});
      await fails(
        t,
        { PORT: String(other.port) },
        new RegExp(`^127\\.0\\.0\\.1:${other.port}: .*EADDRINUSE.*\\n$`),
      );
    });

    for (
      const [name, env, pattern] of [
        [
          "an address that is not this machine's", // TEST-NET-1, RFC 5737
          { HOST: "192.0.2.1", PORT: "0" },
          /^192\.0\.2\.1:0: .+\n$/,
        ],
        [
          "a name that nobody has", // RFC 6761
          { HOST: "no-such-host.invalid", PORT: "" },
          /^no-such-host\.invalid:9999: .+\n$/,
        ],
        ...["abc", "65536", "-1", "1e3"]
          .map((PORT) =>
            [
              `PORT ${JSON.stringify(PORT)}`,
              { HOST: "", PORT },
              new RegExp(
                `^127\\.0\\.0\\.1:${PORT}: PORT is not .* 0 to 65535\\n$`,
              ),
            ] as const
          ),
      ] as const
    ) {
      test(`fails with one line at ${name}`, (t) => fails(t, env, pattern));
    }
  });
}

test("holds 511 clients in its queue", {
  skip: linux,
}, async (t) => {
  const server = await serve(t);
  server.child.kill("SIGSTOP");
  const peers = await Promise.all(
    Array.from({ length: 511 }, () => open(t, server.port)),
  );
  server.child.kill("SIGCONT");
  for (const peer of peers) peer.socket.end("hey");
  for (const peer of peers) assert.equal(await peer.closed(), OK);
});

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
