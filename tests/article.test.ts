// The article's session, by the pair and by other peers, as a reader meets it:
// the commands of the README, the three files alone, Python, and `nc`.

import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { listening, OK, open, root, start } from "./helper.ts";
import * as article from "./python.ts";
import { netcat, onEach, posix, python, runtimes } from "./runtimes.ts";

process.env.NODE_V8_COVERAGE = ""; // Other tests cover the scripts already.

const transcript = new RegExp(
  String.raw`^\('127\.0\.0\.1', [1-9]\d*\) ----- hey bruh
(\('127\.0\.0\.1', [1-9]\d*\)) ----- close
disconnecting from \1
$`,
);

/** Says `hey bruh` and `close`, and compares all that both sides print. */
async function session(
  t: TestContext,
  server: string[],
  client: string[],
  cwd = root,
) {
  const running = start(t, server, { cwd, env: { PORT: "0" } });
  const env = { PORT: String(await listening(running.stderr)) };
  for (const words of [["hey", "bruh"], ["close"]]) {
    const end = await start(t, [...client, ...words], { cwd, env }).ended();
    const stdout = `${OK}\n`;
    assert.deepEqual(end, { stdout, stderr: "", code: 0, signal: null });
  }
  running.child.stdin?.end();
  const { stdout, stderr, code } = await running.ended();
  assert.equal(stderr, `listening on ('127.0.0.1', ${env.PORT})\n`);
  assert.match(stdout, transcript);
  assert.equal(code, 0);
}

onEach("the article's session", ({ name, command }) => {
  const server = [...command, "server.ts"];
  const client = [...command, "client.ts"];

  for (const { name, command, skip } of runtimes) {
    const client = [...command, "client.ts"];
    test(`client on ${name}`, { skip }, (t) => session(t, server, client));
  }

  test("three files alone in a folder", async (t) => {
    const cwd = mkdtempSync(join(tmpdir(), "alone ü "));
    t.after(() => rmSync(cwd, { recursive: true }));
    for (const name of ["server", "client", "protocol"]) {
      copyFileSync(join(root, `${name}.ts`), join(cwd, `${name}.ts`));
    }
    const fetched = join(root, "node_modules/.bin/tsx"); // as npx would
    const run = name === "tsx" ? [fetched] : command;
    await session(t, [...run, "server.ts"], [...run, "client.ts"], cwd);
  });

  test(
    "the article's client, in Python",
    { skip: python() },
    (t) => session(t, server, ["python3", "-c", article.client]),
  );

  test(
    "the article's server, in Python",
    { skip: python() },
    (t) => session(t, ["python3", "-c", article.server], client),
  );

  test("a message that silence ends is answered 500 ms later", async (t) => {
    const running = start(t, server, { env: { PORT: "0" } });
    const peer = await open(await listening(running.stderr));
    const before = performance.now();
    await peer.send("hey bruh");
    assert.equal(await peer.received(), OK);
    const took = performance.now() - before;
    assert(took > 490, `${took} ms`); // An upper bound would be a guess.
    assert.equal(running.stdout.text, `${peer.addr} ----- hey bruh\n`);
  });

  const typed = "(echo hey bruh; exec sleep 5) | nc"; // as a person does
  for (const nc of ["echo hey bruh | nc", "echo hey bruh | nc -N", typed]) {
    const line = `${nc} 127.0.0.1 $PORT`;
    test(line, { skip: netcat() }, async (t) => {
      const { stdout, stderr } = start(t, server, { env: { PORT: "0" } });
      const env = { PORT: String(await listening(stderr)) };
      const printed = start(t, ["sh", "-c", line], { env }).stdout;
      await printed.match(/^OKay got it$/);
      assert.match(stdout.text, /^\('127\.0\.0\.1', \d+\) ----- hey bruh\n$/);
      assert.equal(stderr.text.split("\n").length, 2);
    });
  }
});

test("Ctrl-C ends npx tsx and its children", { skip: posix }, async (t) => {
  const running = start(t, ["npx", "tsx", "server.ts"], { env: { PORT: "0" } });
  const port = await listening(running.stderr);
  running.signal("SIGINT"); // A terminal sends it to all of them, too.
  const { code, signal } = await running.ended();
  assert(code !== 0 || signal === "SIGINT");
  await assert.rejects(open(port), { code: "ECONNREFUSED" });
});
