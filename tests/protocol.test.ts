// The functions of protocol.ts by themselves.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Socket } from "node:net";
import process from "node:process";
import { test } from "node:test";
import { decode, encode, fail, print, receive } from "../protocol.ts";
import { MAX } from "./helper.ts";

const range = (from: number, to: number) =>
  Array.from(Array(to - from + 1), (_, i) => String.fromCodePoint(from + i));

test("encode and decode take UTF-8 of 1 byte to the limit", () => {
  for (const text of ["x", "x".repeat(MAX), "é€😀\n.", "\ufeff\u2028."]) {
    assert.deepEqual(encode(text), Buffer.from(text, "utf8"));
    assert.equal(decode(encode(text)), text);
  }
  for (const size of [0, MAX + 1]) {
    const text = "x".repeat(size);
    const message = new RegExp(` ${size} bytes, not 1 to ${MAX}$`);
    assert.throws(() => encode(text), { message });
    assert.throws(() => decode(Buffer.from(text)), { message });
  }
});

test("decode takes off one line break, and refuses what is not UTF-8", () => {
  for (const text of ["hey\n\r", "hey\r", "\nhey\nbruh", " \t\u2028", "y"]) {
    assert.equal(decode(Buffer.from(text)), text);
    assert.equal(decode(Buffer.from(`${text}\r\n`)), text);
    assert.equal(decode(Buffer.from(`${text}\n`)), text.replace(/\r$/, ""));
  }
  // A continuation byte alone, a lead byte alone, an overlong form, a surrogate,
  // a code point past U+10FFFF, a byte that never occurs.
  for (const bytes of "80 e282 c080 eda080 f4908080 ff".split(" ")) {
    const refused = { message: "received bytes that are not UTF-8" };
    assert.throws(() => decode(Buffer.from(`68${bytes}69`, "hex")), refused);
  }
});

test("print escapes what moves the cursor or forges a line", async (t) => {
  const all = [...range(0, 0xd7ff), ...range(0xe000, 0x10ffff)];
  const controls = [...range(0, 0x1f), ...range(0x7f, 0x9f)];
  const separators = range(0x2028, 0x2029); // of lines and of paragraphs
  const directions = [...range(0x202a, 0x202e), ...range(0x2066, 0x2069)];
  const unsafe = new Set([...controls, ...separators, ...directions]);
  for (const char of "\u061c\u200e\u200f") unsafe.add(char); // directions, too
  let written = "";
  const { mock } = t.mock.method(process.stdout, "write", (
    line: string,
    done: () => void,
  ) => (written = line, done()));
  await print(all.join(""));
  mock.restore();
  const code = (char: string) => `\\u{${char.charCodeAt(0).toString(16)}}`;
  const shown = all.map((char) => unsafe.has(char) ? code(char) : char);
  assert(written === `${shown.join("")}\n`);
});

test("receive counts the time of connecting", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const bytes = receive(new Socket()); // It never connects.
  t.mock.timers.tick(30_000);
  await assert.rejects(bytes, { message: "no complete message in 30 s" });
});

test("receive keeps nothing that comes after 500 ms of silence", async () => {
  const socket = new Socket();
  const bytes = receive(socket);
  socket.emit("data", Buffer.from("hey"));
  socket.emit("timeout");
  assert.equal(`${await bytes}`, "hey");
  assert.equal(socket.listenerCount("data"), 0);
  socket.destroy();
});

test("fail says the code of an error without a message", (t) => {
  const error = t.mock.method(console, "error", () => {});
  const exit = t.mock.method(process, "exit", () => {});
  fail(new Error("no luck"));
  fail(Object.assign(new Error(), { code: "ECONNREFUSED" }));
  const said = error.mock.calls.map((call) => call.arguments[0]);
  assert.deepEqual(said, ["no luck", "ECONNREFUSED"]);
  assert.equal(exit.mock.calls[0]?.arguments[0], 1);
});
