// The article's session, both scripts as processes, their output compared whole.

import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, test, type TestContext } from "node:test";
import { type Options, root, run, type Running, runtimes } from "./helper.ts";

process.env.NODE_V8_COVERAGE = ""; // Covered by other tests already.

/** Starts a server, says `hey bruh` and `close`, and compares all output. */
async function session(
  t: TestContext,
  server: string[],
  client: string[],
  options: Options = {},
) {
  const listening = run(t, server, {
    ...options,
    env: { PORT: "0", ...options.env },
  });
  const [line, ip, PORT] = await listening.stderr.until(
    /^listening on \[?(.+?)\]?:(\d+)\n/,
  );
  const say = (...words: string[]) =>
    run(t, [...client, ...words], {
      ...options,
      env: { ...options.env, PORT: PORT! },
    }).end;

  const ok = { code: 0, signal: null, stdout: "OKay got it\n", stderr: "" };
  assert.deepEqual(await say("hey", "bruh"), ok);
  assert.deepEqual(await say("close"), ok);
  const { code, stdout, stderr } = await listening.end;
  assert.equal(
    stdout.replaceAll(/, [1-9]\d*\)/g, ", PORT)"),
    `('${ip}', PORT) ----- hey bruh\n` +
      `('${ip}', PORT) ----- close\n` +
      `disconnecting from ('${ip}', PORT)\n`,
  );
  const [, closer] = stdout.match(/(, \d+\)) ----- close/)!;
  assert(stdout.endsWith(`${closer}\n`), "the one that said close");
  assert.equal(stderr, line);
  assert.equal(code, 0);
}

for (const server of runtimes) {
  describe(`the article's session, server on ${server.name}`, {
    skip: server.missing,
    concurrency: 2,
  }, () => {
    for (const client of runtimes) {
      test(`client on ${client.name}`, { skip: client.missing }, (t) =>
        session(
          t,
          [...server.command, "server.ts"],
          [...client.command, "client.ts"],
        ));
    }
    test("over IPv6", (t) =>
      session(
        t,
        [...server.command, "server.ts"],
        [...server.command, "client.ts"],
        { env: { HOST: "::1" } },
      ));
  });
}

test("the article's session by npx, word for word", (t) =>
  session(t, ["npx", "tsx", "server.ts"], ["npx", "tsx", "client.ts"]));

for (const runtime of runtimes) {
  test(`three files alone in an empty folder, on ${runtime.name}`, {
    skip: runtime.missing,
  }, async (t) => {
    const cwd = mkdtempSync(join(tmpdir(), "alone-"));
    t.after(() => rmSync(cwd, { recursive: true }));
    for (const file of ["server.ts", "client.ts", "protocol.ts"]) {
      copyFileSync(join(root, file), join(cwd, file));
    }
    const command = runtime.name === "tsx"
      ? [join(root, "node_modules/.bin/tsx")] // what npx would fetch
      : runtime.command;
    await session(t, [...command, "server.ts"], [...command, "client.ts"], {
      cwd,
    });
  });
}

test("Ctrl-C ends npx tsx server.ts and its children", {
  skip: process.platform === "win32" ? "no SIGINT" : false,
}, async (t) => {
  const server: Running = run(t, ["npx", "tsx", "server.ts"], {
    env: { PORT: "0" },
  });
  await server.stderr.until(/^listening on .*\n/);
  process.kill(-server.child.pid!, "SIGINT"); // as a terminal does
  const { code, signal } = await server.end;
  assert(code !== 0 || signal === "SIGINT");
});
