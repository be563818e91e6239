// The article's session, by the pair and by other peers, as a reader meets it:
// the commands of the README, the three files alone, Python, and `nc`.

import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, test, type TestContext } from "node:test";
import { listening, OK, open, type Options, root, start } from "./helper.ts";
import * as article from "./python.ts";
import { nc, posix, python, runtimes, tsx } from "./runtimes.ts";

process.env.NODE_V8_COVERAGE = ""; // Other tests cover the scripts already.

const scripts = ["server.ts", "client.ts", "protocol.ts"];
const ok = { stdout: `${OK}\n`, stderr: "", code: 0, signal: null };

/** Says `hey bruh` and `close`, and compares all that both sides print. */
async function session(
  t: TestContext,
  server: string[],
  client: string[],
  options: Options = {},
) {
  const running = start(t, server, { ...options, env: { PORT: "0" } });
  const port = await listening(running.stderr);
  const env = { PORT: String(port) };
  for (const words of [["hey", "bruh"], ["close"]]) {
    const end = await start(t, [...client, ...words], { ...options, env });
    assert.deepEqual(await end.ended(), ok);
  }
  const { stdout, stderr, code } = await running.ended();
  assert.equal(stderr, `listening on ('127.0.0.1', ${port})\n`);
  assert.match(stdout, transcript);
  assert.equal(code, 0);
}

const transcript = new RegExp(
  String.raw`^\('127\.0\.0\.1', [1-9]\d*\) ----- hey bruh
(\('127\.0\.0\.1', [1-9]\d*\)) ----- close
disconnecting from \1
$`,
);

for (const server of runtimes) {
  describe(`the article's session, server on ${server.name}`, {
    skip: server.skip,
  }, () => {
    for (const client of runtimes) {
      test(`client on ${client.name}`, { skip: client.skip }, (t) =>
        session(
          t,
          [...server.command, "server.ts"],
          [...client.command, "client.ts"],
        ));
    }

    test("three files alone in a folder", async (t) => {
      const cwd = mkdtempSync(join(tmpdir(), "alone ü "));
      t.after(() => rmSync(cwd, { recursive: true }));
      for (const file of scripts) {
        copyFileSync(join(root, file), join(cwd, file));
      }
      const command = server === tsx
        ? [join(root, "node_modules/.bin/tsx")] // what npx would fetch
        : server.command;
      await session(t, [...command, "server.ts"], [...command, "client.ts"], {
        cwd,
      });
    });

    test("a message that ends by silence is answered 500 ms later", async (t) => {
      const running = start(t, [...server.command, "server.ts"], {
        env: { PORT: "0" },
      });
      const peer = await open(await listening(running.stderr));
      const before = performance.now();
      await peer.send("hey bruh");
      assert.equal(await peer.received(), OK);
      const took = performance.now() - before;
      assert(took > 490, `${took} ms`); // An upper bound would be a guess.
      assert.equal(running.stdout.text, `${peer.addr} ----- hey bruh\n`);
    });
  });
}

test("the article's session by npx, as the README has it", async (t) => {
  const [server, client] = [["-y", "tsx", "server.ts"], ["tsx", "client.ts"]];
  await session(t, ["npx", ...server], ["npx", ...client]);
});

test("Ctrl-C ends npx tsx server.ts and its children", {
  skip: posix,
}, async (t) => {
  const running = start(t, ["npx", "tsx", "server.ts"], { env: { PORT: "0" } });
  const port = await listening(running.stderr);
  running.signal("SIGINT"); // A terminal sends it to all of them, too.
  const { code, signal } = await running.ended();
  assert(code !== 0 || signal === "SIGINT");
  await assert.rejects(open(port), { code: "ECONNREFUSED" });
});

for (const { name, command, skip } of runtimes) {
  describe(`the article's Python beside ${name}`, {
    skip: skip || python,
    concurrency: true,
  }, () => {
    test("its client speaks with server.ts", async (t) => {
      const env = { PORT: "0" };
      const running = start(t, [...command, "server.ts"], { env });
      const port = String(await listening(running.stderr));
      for (const message of ["hey bruh", "close"]) {
        const python = ["python3", "-c", article.client, port, message];
        assert.deepEqual(await start(t, python).ended(), ok);
      }
      const { stdout, stderr, code } = await running.ended();
      assert.equal(stderr, `listening on ('127.0.0.1', ${port})\n`);
      assert.match(stdout, transcript);
      assert.equal(code, 0);
    });

    test("client.ts speaks with its server", async (t) => {
      const python = start(t, ["python3", "-c", article.server]);
      const env = { PORT: String(await listening(python.stderr)) };
      for (const words of [["hey", "bruh"], ["close"]]) {
        const client = start(t, [...command, "client.ts", ...words], { env });
        assert.deepEqual(await client.ended(), ok);
      }
      await python.stdout.match(transcript);
    });
  });

  describe(`nc beside server.ts on ${name}`, {
    skip: skip || nc,
    concurrency: true,
  }, () => {
    for (
      const line of [
        "echo hey bruh | nc 127.0.0.1 $PORT",
        "echo hey bruh | nc -N 127.0.0.1 $PORT",
        "(echo hey bruh; exec sleep 5) | nc 127.0.0.1 $PORT", // a person types
      ]
    ) {
      test(line, async (t) => {
        const env = { PORT: "0" };
        const running = start(t, [...command, "server.ts"], { env });
        const PORT = String(await listening(running.stderr));
        const nc = start(t, ["sh", "-c", line], { env: { PORT } });
        await nc.stdout.match(/^OKay got it$/);
        assert.match(
          running.stdout.text,
          /^\('127\.0\.0\.1', \d+\) ----- hey bruh\n$/,
        );
        assert.equal(running.stderr.text.split("\n").length, 2);
      });
    }
  });
}
