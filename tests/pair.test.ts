// The article's session, on each pair of runtimes, with Python, and with nc.

import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { test, type TestContext } from "node:test";
import {
  noNetcat,
  noPython,
  noShell,
  OK,
  onEach,
  runtimes,
  start,
  unless,
} from "./helper.ts";

/** Says `hey bruh` and `close`, and compares all that both programs print. */
async function session(
  t: TestContext,
  server: string[],
  client: string[],
  host = "127.0.0.1",
  reply = OK,
) {
  const running = start(t, server, { env: { SERVER_IP: host } });
  const port = await running.listening();
  const env = { SERVER_IP: host, PORT: port };
  for (const words of [["hey", "bruh"], ["close"]]) {
    const end = await start(t, [...client, ...words], { env }).ended();
    assert.deepEqual(end, { stdout: `${reply}\n`, stderr: "", code: 0 });
  }
  const { stdout, stderr, code } = await running.ended();
  const [first, second] = stdout.match(/\d+(?=\) -----)/g) ?? []; // their ports
  assert.equal(
    stdout,
    `('${host}', ${first}) ----- hey bruh\n` +
      `('${host}', ${second}) ----- close\n` +
      `disconnecting from ('${host}', ${second})\n`,
  );
  assert.equal(stderr, `listening on ('${host}', ${port})\n`);
  assert.equal(code, 0);
}

const interfaces = JSON.stringify(networkInterfaces());
const noIPv6 = unless(interfaces.includes('"::1"'), "no ::1 here");

onEach("server.ts", ({ command }) => {
  const server = [...command, "server.ts"];
  const client = [...command, "client.ts"];

  for (const { name, command, skip } of runtimes) {
    test(`speaks with client.ts on ${name}`, { skip }, async (t) => {
      await session(t, server, [...command, "client.ts"]);
    });
  }

  test("speaks with client.ts over IPv6", { skip: noIPv6 }, async (t) => {
    await session(t, server, client, "::1");
  });

  test("speaks with the article's programs", { skip: noPython }, async (t) => {
    await session(t, server, ["python3", "tests/article_client.py"]);
    const theirs = ["python3", "tests/article.py"];
    await session(t, theirs, client, "127.0.0.1", "OKay got it");
  });

  for (
    const [how, line] of [
      ["nc, which goes on after its input", "echo hey bruh | nc"],
      ["nc -N, which then finishes sending", "echo hey bruh | nc -N"],
      ["a person who types into nc", "(echo hey bruh; exec sleep 60) | nc"],
    ]
  ) {
    test(`speaks with ${how}`, { skip: noNetcat }, async (t) => {
      const running = start(t, server);
      const port = await running.listening();
      const nc = start(t, `${line} 127.0.0.1 ${port}`);
      await nc.finds("the reply", () => nc.stdout.text === OK || null);
      assert.match(running.stdout.text, /^\('127.*\) ----- hey bruh\n$/);
    });
  }

  test("ends at once on Ctrl-C", { skip: noShell }, async (t) => {
    const running = start(t, server);
    await running.listening();
    running.child.kill("SIGINT");
    assert.notEqual((await running.ended()).code, 0);
  });
});

test("both mean 127.0.0.1 and port 9999 if nothing is set", async (t) => {
  const env = { SERVER_IP: undefined, PORT: undefined };
  for (const { command } of runtimes.filter(({ skip }) => !skip)) {
    const server = start(t, [...command, "server.ts"], { env });
    const { stderr, finds } = server;
    await finds("9999", () => stderr.text.match(/127\.0\.0\.1.*9999/));
    if (stderr.text.includes("EADDRINUSE")) {
      await server.ended();
      await start(t, [...command, "client.ts"], { env }).ended(); // for c8
      return t.skip(unless(false, "another program has port 9999") || "");
    }
    const client = start(t, [...command, "client.ts", "close"], { env });
    assert.equal((await client.ended()).stdout, `${OK}\n`);
    assert.equal((await server.ended()).code, 0);
  }
});
