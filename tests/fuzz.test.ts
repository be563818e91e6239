// Some thousand random messages, good and bad, in random pieces, by a seeded
// generator. SEED in the environment runs the same ones again.

import assert from "node:assert/strict";
import { Buffer, isUtf8 } from "node:buffer";
import process from "node:process";
import { test } from "node:test";
import { OK, serve } from "./helper.ts";
import { onEach } from "./runtimes.ts";

process.env.NODE_V8_COVERAGE = ""; // Other tests cover the scripts already.

const seed = Number(process.env.SEED || Date.now() % 2 ** 32);

/** Numbers in [0, 1), always the same for one seed: mulberry32. */
function generator(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What one client does: its bytes, in which pieces, and how it leaves. */
function plan(random: () => number) {
  const below = (n: number) => Math.floor(random() * n);
  const character = () => {
    const code = below([0x80, 0x800, 0x3000, 0x110000][below(4)] ?? 1);
    return String.fromCodePoint(code >> 11 === 0x1b ? 0x7f : code);
  };
  const length = 1 + below(below(200) + 1);
  let bytes = Buffer.from(Array.from({ length }, character).join("") + "!");
  const kind = below(6); // valid, invalid, cut, long, about the limit, none
  if (kind === 1) bytes[below(bytes.length)] = 0x80 + below(0x80);
  if (kind === 2) bytes = bytes.subarray(0, below(bytes.length));
  if (kind === 3) bytes = Buffer.alloc(1025 + below(3000), "x");
  if (kind === 4) bytes = Buffer.alloc(1022 + below(5), "x");
  if (kind === 5) bytes = Buffer.alloc(0);
  const cuts = Array.from({ length: below(4) }, () => below(bytes.length + 1));
  return { bytes, cuts: cuts.sort((a, b) => a - b), resets: random() < 0.15 };
}

/** What is printed for these bytes, behind the address, on either output. */
function fate(bytes: Buffer): string {
  if (bytes.length === 0) return ": no bytes came";
  if (bytes.length > 1024) return ": over 1024 bytes";
  if (!isUtf8(bytes)) return ": not UTF-8";
  const text = bytes.toString().replace(/\r?\n$/, "");
  return " ----- " + text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu,
    (char) => `\\u{${char.charCodeAt(0).toString(16)}}`,
  );
}

onEach(`SEED=${seed}, server.ts`, (runtime) => {
  test("prints and answers, or reports, 2000 random messages", async (t) => {
    // No silence ends a message here, however slow this machine is.
    const server = await serve(t, runtime);
    const random = generator(seed);
    for (let batch = 0; batch < 20; batch++) {
      const plans = Array.from({ length: 100 }, () => plan(random));
      await Promise.all(plans.map(async ({ bytes, cuts, resets }) => {
        const peer = await server.open(t);
        let from = 0;
        for (const to of cuts) {
          if (to > from) await peer.send(bytes.subarray(from, to));
          from = to;
        }
        if (resets) peer.socket.resetAndDestroy();
        else peer.socket.end(bytes.subarray(from));
        const got = await peer.dropped();
        const rest = fate(resets ? bytes.subarray(0, from) : bytes);
        const line = await server.line(peer, "stdout", "stderr");
        // A known limit: where a reset comes right behind the bytes, libuv
        // reports an end instead, so that they count as if finished.
        if (resets && line === `${peer.addr}: read ECONNRESET`) return;
        assert.equal(line, peer.addr + rest);
        if (!resets) assert.equal(got, rest.startsWith(":") ? "" : OK);
      }));
    }
    await server.close(t); // It checks that each is worth exactly one line.
  });
});
