// Where server.ts listens, and what it says where it cannot.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test, type TestContext } from "node:test";
import { listen, listening, OK, open, say, start } from "./helper.ts";
import { onEach, unless } from "./runtimes.ts";

const TAKEN = "listen EADDRINUSE: address already in use";
const ipv6 = await new Promise<string | false>((resolve) => {
  const server = createServer().listen(0, "::1", () => server.close());
  server.on("close", () => resolve(false));
  server.on("error", () => resolve(unless(false, "there is no IPv6 here")));
});

onEach("the start of server.ts", (runtime) => {
  const run = (t: TestContext, env: Record<string, string>) =>
    start(t, [...runtime.command, "server.ts"], { env });

  test("with PORT=0 takes a free port of 127.0.0.1", async (t) => {
    const { stderr } = run(t, { PORT: "0" });
    const port = await listening(stderr);
    assert.equal(stderr.text, `listening on ('127.0.0.1', ${port})\n`);
    assert(port > 0);
    await open(port);
  });

  test("with HOST=::1 listens there", { skip: ipv6 }, async (t) => {
    const running = run(t, { HOST: "::1", PORT: "0" });
    const port = await listening(running.stderr);
    assert.equal(running.stderr.text, `listening on ('::1', ${port})\n`);
    const peer = await open(port, "::1");
    peer.socket.end("close");
    assert.equal(await peer.dropped(), OK);
    const { stdout } = await running.ended();
    assert.match(stdout, /^\('::1', \d+\) ----- close\n/);
  });

  test("with HOST and PORT empty means 127.0.0.1 and 9999", async (t) => {
    const running = run(t, { HOST: "", PORT: "" });
    const [line] = await running.stderr.match(/^.*\n/);
    // Whether the port is free is not the test's to say, nor its matter.
    if (line !== `${TAKEN} 127.0.0.1:9999\n`) {
      assert.equal(line, "listening on ('127.0.0.1', 9999)\n");
      assert.equal(await say(9999, "close"), OK);
    }
    await running.ended();
  });

  const HOST = "x".repeat(64); // A label has 63 letters at most (RFC 1035).
  for (
    const [name, env, line] of [
      // TEST-NET-1 of RFC 5737
      [
        "another machine's address",
        { HOST: "192.0.2.1" },
        /^.* 192\.0\.2\.1.*\n$/,
      ],
      ["a name that nobody can have", { HOST }, new RegExp(`^.*${HOST}.*\n$`)],
      ["PORT=abc", { PORT: "abc" }, /^PORT is abc, not .* 0 to 65535\n$/],
      ["PORT=\\n", { PORT: "\n" }, /^PORT is \\u\{a\}, not .* 0 to 65535\n$/],
    ] as const
  ) {
    test(`fails in one line at ${name}`, async (t) => {
      const end = await run(t, { PORT: "0", ...env }).ended();
      assert.match(end.stderr, line);
      assert.equal(end.stdout, "");
      assert.equal(end.code, 1);
    });
  }

  test("fails in one line where the port is taken", async (t) => {
    const { port } = await listen();
    const { stderr, code } = await run(t, { PORT: String(port) }).ended();
    assert.equal(stderr, `${TAKEN} 127.0.0.1:${port}\n`);
    assert.equal(code, 1);
  });
});
