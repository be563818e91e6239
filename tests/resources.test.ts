// What server.ts does where something runs short: its standard output, file
// descriptors, room for clients that wait.

import assert from "node:assert/strict";
import { closeSync, openSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { OK, open, say, serve, type Server, within } from "./helper.ts";
import { linux, onEach, posix } from "./runtimes.ts";

function descriptors({ running }: Server): number {
  return readdirSync(`/proc/${running.pid}/fd`).length;
}

/** Waits until `condition` holds, where there is no event to wait for. */
async function poll(what: string, condition: () => boolean) {
  const wait = async () => {
    while (!condition()) await pause(10);
  };
  await within(what, wait());
}

onEach("a shortage at server.ts", (runtime) => {
  test("loses no line that is read late", { skip: posix }, async (t) => {
    // A pipe that nobody reads, until this test writes a line.
    const late = '"$@" </dev/null | { read -r go <&3; exec cat; }';
    const server = await serve(t, runtime, {
      before: ["sh", "-c", `exec 3<&0; ${late}`, "sh"],
    });
    const peers = [];
    const lines: string[] = [];
    for (let i = 0; i < 240; i++) {
      const text = `${i} `.padEnd(900, "x");
      // Deno's whole process waits while it cannot print.
      const peer = await server.open(t, runtime.name !== "deno");
      peer.socket.end(text);
      peers.push(peer);
      lines.push(`${peer.addr} ----- ${text}`);
    }
    // A pipe has room for 64 KiB on Linux, 72 of these lines.
    const early = peers.filter((peer) => peer.output.text === OK);
    assert(early.length < 100, `${early.length} replies to unwritten lines`);
    assert.equal(server.running.stdout.text, "");
    const [gone] = runtime.name === "deno" ? [] : peers.splice(150, 1);
    gone?.socket.resetAndDestroy(); // It is printed; that is no failure.
    server.running.child.stdin?.write("go\n");
    for (const peer of peers) assert.equal(await peer.dropped(), OK);
    const { stdout } = await server.close(t);
    assert.deepEqual(stdout.split("\n").slice(0, 240).sort(), lines.sort());
  });

  for (const [how, why] of [["closed", "EPIPE"], ["full", "no space left"]]) {
    test(`ends where its output is ${how}`, { skip: linux }, async (t) => {
      const full = openSync("/dev/full", "w");
      const options = how === "full" ? { stdout: full } : {};
      const server = await serve(t, runtime, options);
      closeSync(full);
      server.running.child.stdout?.destroy();
      const peer = await server.say(t, "hey");
      const { stderr, code } = await server.running.ended();
      const line = new RegExp(`^listening on .*\ncannot print: .*${why}.*\n$`);
      assert.match(stderr.replace("No", "no"), line);
      assert.equal(code, 1);
      assert.equal(peer.output.text, "");
    });
  }

  test("goes on where its standard error is closed", async (t) => {
    const server = await serve(t, runtime);
    server.running.child.stderr?.destroy();
    for (let i = 0; i < 5; i++) {
      assert.equal((await server.say(t, "\0")).output.text, OK);
      assert.equal(await say(server.port, ""), ""); // refused, with a line
    }
    assert.equal(await say(server.port, "close"), OK);
    assert.equal((await server.running.ended()).code, 0);
  });

  test("goes on where the accept of a client fails", async (t) => {
    const server = await serve(t, runtime);
    server.running.failAccept("ENOBUFS");
    await server.running.stderr.match(/^accept ENOBUFS\n$/m);
    await server.answered(await server.say(t, "hey"), "hey");
    await server.say(t, "close");
    const { stderr, code } = await server.running.ended();
    assert.equal(stderr.replace(/.*\n/, ""), "accept ENOBUFS\n");
    assert.equal(code, 0);
  });

  test("goes on after its file descriptors were used up", {
    skip: linux ||
      runtime.name === "deno" && "Deno (2.8 to 2.9) panics or hangs then",
  }, async (t) => {
    const server = await serve(t, runtime, {
      before: ["sh", "-c", 'ulimit -n 64 && exec "$@"', "sh"],
    });
    const crowd = await Promise.allSettled(
      Array.from({ length: 120 }, () => open(server.port)),
    );
    await poll("use of all 64", () => descriptors(server) >= 60);
    for (const one of crowd) {
      if (one.status === "fulfilled") one.value.socket.destroy();
    }
    // Of those that come too soon, some still find no descriptor.
    await poll("room again", () => descriptors(server) < 40);
    assert.equal(await say(server.port, "hey"), OK);
    assert.equal(await say(server.port, "close"), OK);
    assert.equal((await server.running.ended()).code, 0);
  });

  test("gives its descriptors back", { skip: linux }, async (t) => {
    const server = await serve(t, runtime);
    await server.say(t, "warm up");
    const before = descriptors(server);
    for (let i = 0; i < 50; i++) {
      const texts = ["hey", "", "x".repeat(1025), Buffer.of(0xff)];
      await Promise.all(texts.map((text) => server.say(t, text)));
    }
    await poll("end of all", () => descriptors(server) < before + 20);
    await server.close(t);
  });

  test("lets 511 clients wait for the accept", { skip: linux }, async (t) => {
    const server = await serve(t, runtime);
    server.running.child.kill("SIGSTOP");
    const peers = await Promise.all(
      Array.from({ length: 511 }, () => open(server.port)),
    );
    server.running.child.kill("SIGCONT");
    for (const peer of peers) peer.socket.end("hey");
    for (const peer of peers) assert.equal(await peer.dropped(), OK);
  });
});
