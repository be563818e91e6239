// The other half of the pair is not this project's: Python as in the article,
// with one recv and nothing closed, and netcat as a person uses it.

import assert from "node:assert/strict";
import process from "node:process";
import { describe, test } from "node:test";
import { missing, run, runtimes, serve } from "./helper.ts";

process.env.NODE_V8_COVERAGE = ""; // Covered by other tests already.

/** The article's client: connect, send, one recv; its half is never ended. */
const pythonClient = `
import socket, sys
pair = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
pair.connect(("127.0.0.1", int(sys.argv[1])))
pair.send(sys.argv[2].encode("utf-8"))
print(pair.recv(1024).decode("utf-8"))
print("from", pair.getsockname(), file=sys.stderr)
`;

/** The article's server: accept, one recv, print, send; nothing is closed. */
const pythonServer = `
import socket, sys, time
hall = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
hall.bind(("127.0.0.1", 0))
hall.listen(4)
print("listening on 127.0.0.1:%d" % hall.getsockname()[1], file=sys.stderr, flush=True)
held = []
while True:
    guest, addr = hall.accept()
    held.append(guest)
    text = guest.recv(1024).decode("utf-8")
    print(addr, "-----", text, flush=True)
    guest.send("OKay got it".encode("utf-8"))
    if text == "close":
        print("disconnecting from", addr, flush=True)
        break
time.sleep(60) # Nothing is closed; the test ends this process.
`;

const OK = "OKay got it";

for (const runtime of runtimes) {
  describe(`Python beside ${runtime.name}`, {
    skip: runtime.missing ||
      missing(["python3", "--version"], "python3 is not on the PATH"),
    concurrency: true,
  }, () => {
    test("the article's client, in Python, speaks with server.ts", async (t) => {
      const server = await serve(t, runtime);
      const say = async (text: string) => {
        const { code, stdout, stderr } = await run(
          t,
          ["python3", "-c", pythonClient, String(server.port), text],
        ).end;
        assert.equal(stdout, `${OK}\n`);
        assert.equal(code, 0);
        return stderr.match(/\(.*\)/)![0];
      };
      const first = await say("hey bruh");
      const last = await say("close");
      const { code, stdout, stderr } = await server.end;
      assert.equal(
        stdout,
        `${first} ----- hey bruh\n${last} ----- close\n` +
          `disconnecting from ${last}\n`,
      );
      assert.equal(stderr, `listening on 127.0.0.1:${server.port}\n`);
      assert.equal(code, 0);
    });

    test("client.ts speaks with the article's server, in Python", async (t) => {
      const server = run(t, ["python3", "-c", pythonServer]);
      const [, PORT] = await server.stderr.until(/:(\d+)\n/);
      const ok = { code: 0, signal: null, stdout: `${OK}\n`, stderr: "" };
      const client = [...runtime.command, "client.ts"];
      const env = { PORT: PORT! };
      assert.deepEqual(
        await run(t, [...client, "hey", "bruh"], { env }).end,
        ok,
      );
      assert.deepEqual(await run(t, [...client, "close"], { env }).end, ok);
      await server.stdout.until(/disconnecting from .*\n/);
      assert.match(
        server.stdout.text,
        /^\(.*\) ----- hey bruh\n(\(.*\)) ----- close\ndisconnecting from \1\n$/,
      );
    });
  });
}

describe("netcat", {
  skip: missing(
    ["sh", "-c", "nc -h 2>&1 | grep -q OpenBSD"],
    "netcat-openbsd's nc is not on the PATH",
  ),
  concurrency: true,
}, () => {
  for (
    const [name, command] of [
      ["echo hey bruh | nc", "echo hey bruh | nc 127.0.0.1 $PORT"],
      ["echo hey bruh | nc -N", "echo hey bruh | nc -N 127.0.0.1 $PORT"],
      [
        "a line typed while the connection stays open",
        "(echo hey bruh; exec sleep 5) | nc 127.0.0.1 $PORT",
      ],
    ] as const
  ) {
    test(name, async (t) => {
      const server = await serve(t);
      const nc = run(t, ["sh", "-c", command], {
        env: { PORT: String(server.port) },
      });
      await nc.stdout.until(/^OKay got it$/);
      await server.stdout.until(/^\('127\.0\.0\.1', \d+\) ----- hey bruh\n$/);
      assert.equal(server.stderr.text.split("\n").length, 2);
    });
  }

  test("echo close | nc ends the server", async (t) => {
    const server = await serve(t);
    const nc = run(t, ["sh", "-c", "echo close | nc 127.0.0.1 $PORT"], {
      env: { PORT: String(server.port) },
    });
    const { code, stdout } = await server.end;
    assert.match(stdout, /^(\(.*\)) ----- close\ndisconnecting from \1\n$/);
    assert.equal(code, 0);
    assert.equal((await nc.end).stdout, OK);
  });
});
