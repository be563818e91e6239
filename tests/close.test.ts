// How the server ends: by `close`, with and without others, and by Ctrl-C.

import assert from "node:assert/strict";
import { test } from "node:test";
import { OK, open, type Peer, serve } from "./helper.ts";
import { onEach, posix } from "./runtimes.ts";

/** What is printed for the one who says `close`. */
const transcript = ({ addr }: Peer) =>
  `${addr} ----- close\ndisconnecting from ${addr}\n`;

onEach("`close`", (runtime) => {
  test("ends the server at once where nobody is left", async (t) => {
    const server = await serve(t, runtime);
    const peer = await server.say(t, "close");
    // No wait of 500 ms is ever over here.
    assert.deepEqual(await server.running.ended(), {
      stdout: transcript(peer),
      stderr: `listening on ('127.0.0.1', ${server.port})\n`,
      code: 0,
      signal: null,
    });
    assert.equal(peer.output.text, OK);
  });

  test("lets those who are here finish, and nobody else in", async (t) => {
    const server = await serve(t, runtime);
    const peer = await server.open(t);
    const closer = await server.say(t, "close");
    const { stdout } = server.running;
    await stdout.match(/disconnecting from .*\n/);
    await assert.rejects(open(server.port), { code: "ECONNREFUSED" });
    peer.socket.end("close");
    await server.answered(peer, "close");
    const end = await server.running.ended();
    assert.equal(end.stderr, `listening on ('127.0.0.1', ${server.port})\n`);
    const second = `${peer.addr} ----- close\n`; // and nothing else
    assert.equal(end.stdout, transcript(closer) + second);
    assert.equal(end.code, 0);
  });

  test("drops after 500 ms those who are left, a line each", async (t) => {
    const server = await serve(t, runtime);
    const silent = await server.open(t);
    const slow = await server.open(t);
    await server.send(slow, "never comple");
    const count = server.running.begun(500);
    const closer = await server.say(t, "close");
    await server.running.waits(500, count + 2); // the silence of `close`, the drop
    server.running.pass(500);
    for (const peer of [silent, slow]) {
      await server.refused(peer, "dropped at close");
    }
    const { stdout, stderr, code } = await server.running.ended();
    assert.equal(stderr.split("\n").length, 4); // listening, and these two
    assert.equal(stdout, transcript(closer));
    assert.equal(code, 0);
  });

  test("answers 60 others, or drops them with a line", async (t) => {
    const server = await serve(t, runtime);
    const peers = await Promise.all(
      Array.from({ length: 60 }, () => server.open(t)),
    );
    for (const peer of peers.slice(0, 30)) {
      peer.socket.write("hey ", () => peer.socket.end("bruh"));
    }
    const closing = server.close(t); // It checks that each is one or other.
    for (const peer of peers.slice(30)) peer.socket.end("hey bruh");
    for (const peer of peers) await server.answered(peer, "hey bruh");
    await closing;
  });

  test("is not needed: Ctrl-C ends it", { skip: posix }, async (t) => {
    const server = await serve(t, runtime);
    await server.open(t);
    server.running.signal("SIGINT");
    const { stderr, code, signal } = await server.running.ended();
    assert.equal(stderr, `listening on ('127.0.0.1', ${server.port})\n`);
    assert(signal === "SIGINT" || code === 130, `${signal} ${code}`);
  });
});
