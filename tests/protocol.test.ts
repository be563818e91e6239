// The functions of protocol.ts by themselves.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Socket } from "node:net";
import { test } from "node:test";
import { decode, encode, receive } from "../protocol.ts";

const tooLong = { message: "message longer than 1024 bytes" };

test("encode and decode take UTF-8 of up to 1024 bytes", () => {
  for (const text of ["x", "x".repeat(1024), "é€😀", "\ufeffhey"]) {
    assert.deepEqual(encode(text), Buffer.from(text));
    assert.equal(decode(encode(text)), text);
  }
  assert.throws(() => encode("é".repeat(513)), tooLong); // 1026 bytes
});

test("decode refuses no bytes, and bytes that are not UTF-8", () => {
  assert.throws(() => decode(encode("")), { message: "received nothing" });
  const notUTF8 = { message: "received bytes that are not UTF-8" };
  // A continuation byte alone, a lead byte alone, an overlong form, half of a
  // surrogate pair, a code point above U+10FFFF, a byte that never occurs.
  for (const bytes of ["80", "e282", "c080", "eda080", "f4908080", "ff"]) {
    assert.throws(() => decode(Buffer.from(bytes, "hex")), notUTF8);
  }
});

test("decode shows no control characters, and no space at the end", () => {
  const sent = " hey\t\x1b\x07\n\x7f\u009bbruh \u2028\r\n";
  assert.equal(decode(encode(sent)), " hey??????bruh");
});

/** Lets `receive` wait at a socket, whose events the test emits. */
function receiving() {
  const socket = new Socket();
  return { socket, message: receive(socket) };
}

test("receive joins all pieces until the sender has finished", async () => {
  const { socket, message } = receiving();
  const pieces = ["x".repeat(1000), "y".repeat(24)];
  for (const piece of pieces) socket.emit("data", Buffer.from(piece));
  socket.emit("end");
  assert.equal(`${await message}`, pieces.join(""));
});

test("receive waits 30 s for a first piece, then 500 ms for more", async () => {
  const { socket, message } = receiving();
  assert.equal(socket.timeout, 30_000);
  socket.emit("data", Buffer.from("hey"));
  assert.equal(socket.timeout, 500);
  socket.emit("timeout");
  assert.equal(`${await message}`, "hey");
});

test("receive refuses over 1024 bytes, and a failed connection", async () => {
  const [long, reset] = [receiving(), receiving()];
  long.socket.emit("data", Buffer.alloc(1024));
  long.socket.emit("data", Buffer.alloc(1));
  await assert.rejects(long.message, tooLong);
  reset.socket.emit("error", new Error("read ECONNRESET"));
  await assert.rejects(reset.message, { message: "read ECONNRESET" });
});
