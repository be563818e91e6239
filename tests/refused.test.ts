// What is refused or dropped, and that the other clients do not notice.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { before, test } from "node:test";
import { OK, open, serve, type Server } from "./helper.ts";
import { linux, onEach, posix } from "./runtimes.ts";

/** The most memory that a process has held, in MiB. */
function peak(pid: unknown): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(status.match(/VmHWM:\s+(\d+) kB/)?.[1]) / 1024;
}

const full = "x".repeat(1024);

onEach("what server.ts refuses", (runtime) => {
  let server: Server;
  before(async () => {
    server = await serve(undefined, runtime);
  });

  for (
    const [name, bytes, reason] of [
      ["no bytes at all", "", "no bytes came"],
      ["1025 bytes", full + "x", "over 1024 bytes"],
      ["1024 bytes and a line feed", full + "\n", "over 1024 bytes"],
      ["a continuation byte alone", "h\x80", "not UTF-8"],
      ["a cut character", "h\xe2\x82", "not UTF-8"],
      ["an overlong form", "\xc0\xaf", "not UTF-8"],
      ["a surrogate", "\xed\xa0\x80", "not UTF-8"],
      ["a code point past U+10FFFF", "\xf4\x90\x80\x80", "not UTF-8"],
    ] as const
  ) {
    test(`refuses ${name} in one line, with no reply`, async (t) => {
      const peer = await server.say(t, Buffer.from(bytes, "latin1"));
      await server.refused(peer, reason);
    });
  }

  test("refuses too many bytes at the read that passes 1024", async (t) => {
    const peer = await server.open(t); // It never finishes sending.
    await server.send(peer, full);
    assert(!peer.socket.closed);
    await peer.send("x");
    await server.refused(peer, "over 1024 bytes");
  });

  for (const bytes of ["", "hey br", "\xe2"]) {
    test(`reports a reset behind ${JSON.stringify(bytes)}`, async (t) => {
      const peer = await server.open(t);
      if (bytes) await server.send(peer, Buffer.from(bytes, "latin1"));
      peer.socket.resetAndDestroy();
      await server.refused(peer, "read ECONNRESET");
    });
  }

  test("goes on after a reset behind the message", async (t) => {
    const peer = await server.open(t);
    peer.socket.pause();
    peer.socket.end("hey");
    await server.running.stdout.match(/----- hey\n$/);
    peer.socket.destroy(); // The reply is not read, so TCP resets.
    await server.answered(await server.say(t, "still here"), "still here");
  });

  test("drops a client that sends more after its reply", async (t) => {
    const peer = await server.open(t);
    await server.send(peer, "hey");
    server.running.pass(500);
    await server.answered(peer, "hey");
    await peer.send(full + full + full);
    assert.equal(await peer.dropped(), OK); // No other wait is over.
  });

  test("drops silent and dripping clients after 30 s", async (t) => {
    const silent = await server.open(t);
    const dripping = await server.open(t);
    const quiet = await server.open(t);
    await server.send(quiet, "just in time");
    server.running.pass(500);
    await server.answered(quiet, "just in time");
    for (const byte of "hey") await server.send(dripping, byte);
    server.running.pass(30_000);
    await server.refused(silent, "not complete in 30 s");
    await server.refused(dripping, "not complete in 30 s");
  });

  test("lets 100 silent clients cost the others nothing", async (t) => {
    const silent = await Promise.all(
      Array.from({ length: 100 }, () => server.open(t)),
    );
    await server.answered(await server.say(t, "hey bruh"), "hey bruh");
    for (const { socket } of silent) socket.end();
    for (const peer of silent) await server.refused(peer, "no bytes came");
  });

  test("has printed and answered, or reported, each of them", async (t) => {
    await server.close(t);
  });

  test("keeps nothing of an endless sender", { skip: linux }, async (t) => {
    const server = await serve(t, runtime);
    await server.say(t, "warm up");
    const before = peak(server.running.pid);
    const chunk = Buffer.alloc(65_536, "x");
    for (let i = 0; i < 20; i++) {
      const peer = await server.open(t);
      let sent = 0;
      for (; sent < 1024 && !peer.socket.closed; sent++) {
        await peer.send(chunk);
      }
      assert(sent < 1024, "64 MiB were taken");
      await server.refused(peer, "over 1024 bytes");
    }
    const grown = peak(server.running.pid) - before;
    assert(grown < 64, `${grown} MiB more at the peak`);
    await server.close(t);
  });

  test("says nothing of clients gone too soon", { skip: posix }, async (t) => {
    const server = await serve(t, runtime);
    await server.say(t, "warm up");
    server.running.child.kill("SIGSTOP");
    for (const bytes of ["", "hey"]) {
      const peer = await open(server.port);
      await peer.send(bytes);
      peer.socket.resetAndDestroy();
    }
    server.running.child.kill("SIGCONT");
    const { stdout, stderr } = await server.close(t);
    assert.doesNotMatch(stdout + stderr, /undefined|hey/);
  });
});
