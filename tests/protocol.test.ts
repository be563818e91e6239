// The functions of protocol.ts by themselves.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Socket } from "node:net";
import { test } from "node:test";
import { decode, encode, receive } from "../protocol.ts";
import { MAX } from "./helper.ts";

test("encode and decode take UTF-8 of 1 byte to the limit", () => {
  for (const text of ["x", "x".repeat(MAX), "é€😀", "\ufeff\u2028."]) {
    assert.deepEqual(encode(text), Buffer.from(text, "utf8"));
    assert.equal(decode(encode(text)), text);
  }
  const text = "x".repeat(MAX + 1);
  const message = `message too long: ${MAX + 1} bytes, at most ${MAX}`;
  assert.throws(() => encode(text), { message });
  assert.throws(() => decode(Buffer.from(text)), { message });
  assert.throws(() => decode(encode("")), { message: "received nothing" });
});

test("decode shows no control characters, and no space at the end", () => {
  const bytes = Buffer.from(" hey\x1b\n\x9b bruh \r\n");
  assert.equal(decode(bytes), " hey??? bruh");
});

test("decode refuses what is not UTF-8", () => {
  // A continuation byte alone, a lead byte alone, an overlong form, a surrogate,
  // a code point past U+10FFFF, a byte that never occurs.
  for (const bytes of "80 e282 c080 eda080 f4908080 ff".split(" ")) {
    const refused = { message: "received bytes that are not UTF-8" };
    assert.throws(() => decode(Buffer.from(`68${bytes}69`, "hex")), refused);
  }
});

/** A socket of which the test plays the network. */
function played() {
  const socket = new Socket();
  return { socket, message: receive(socket) };
}

test("receive waits 30 s for the first piece, then 500 ms", async () => {
  const { socket, message } = played();
  assert.equal(socket.timeout, 30_000);
  socket.emit("data", Buffer.from("hey"));
  assert.equal(socket.timeout, 500);
  socket.emit("timeout");
  assert.equal(`${await message}`, "hey");
});
