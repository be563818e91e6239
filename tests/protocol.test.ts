// encode, decode, print and toPort by themselves. The other tests try receive
// and fail, through the scripts.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { test } from "node:test";
import { decode, encode, print, toPort } from "../protocol.ts";

test("encode gives UTF-8, with nothing added", () => {
  for (const text of ["hey bruh", "€", "\ufeff", "😀\n", "x".repeat(1024)]) {
    assert.deepEqual(encode(text), Buffer.from(text, "utf8"));
  }
  assert.deepEqual([...encode("€")], [0xe2, 0x82, 0xac]);
});

test("encode takes 1 to 1024 bytes, and names both numbers else", () => {
  for (const text of ["", "x".repeat(1025), "€".repeat(342)]) {
    const message = `the message has ${
      Buffer.byteLength(text)
    } bytes, not 1 to 1024`;
    assert.throws(() => encode(text), { name: "RangeError", message });
  }
});

test("decode takes one line break off the very end, and nothing else", () => {
  const kept = ["hey\n\r", "hey\r", "\nhey\nbruh", " hey \t\u2028", "\ufeffx"];
  for (const text of ["", "hey", "hey\n", "hey\r\n", ...kept]) {
    assert.equal(decode(Buffer.from(text + "\n")), text.replace(/\r$/, ""));
    assert.equal(decode(Buffer.from(text + "\r\n")), text);
  }
  for (const text of kept) assert.equal(decode(Buffer.from(text)), text);
  assert.equal(decode(Uint8Array.of(0x68, 0x69)), "hi"); // no Buffer
});

test("decode throws at each class of bytes that are not UTF-8", () => {
  // Continuation bytes alone; lead bytes alone, or with the wrong byte behind
  // them; overlong forms; surrogates; past U+10FFFF; bytes that never occur.
  const classes = "80 bf c2 e282 f09f98 c278 c080 c1bf e080af f08080af " +
    "eda080 edbfbf f4908080 f5808080 fe ff";
  for (const hex of classes.split(" ")) {
    const refused = { name: "TypeError", message: "not UTF-8" };
    assert.throws(() => decode(Buffer.from(hex, "hex")), refused);
    assert.throws(() => decode(Buffer.from(`68${hex}69`, "hex")), refused);
  }
});

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);
const codes = [...range(0, 0xd7ff), ...range(0xe000, 0x10ffff)];
const text = String.fromCodePoint;

test("decode gives back what encode was given", () => {
  for (let size = 1; size <= 1024; size++) {
    const message = "x".repeat(size);
    assert.equal(decode(encode(message)), message);
  }
  for (let i = 0; i < codes.length; i += 200) {
    const message = text(...codes.slice(i, i + 200)) + ".";
    assert.equal(decode(encode(message)), message);
  }
});

test("print escapes what moves the cursor or forges a line", async (t) => {
  const unsafe = new Set([
    ...range(0x00, 0x1f).concat(range(0x7f, 0x9f)), // controls
    ...[0x61c, 0x200e, 0x200f], // marks of direction
    ...range(0x2028, 0x2029), // line and paragraph separators
    ...range(0x202a, 0x202e).concat(range(0x2066, 0x2069)), // of direction
  ]);
  let written = "";
  const write = (line: string, done: () => void) => {
    written = line;
    done();
  };
  const { mock } = t.mock.method(process.stdout, "write", write);
  const lines = [];
  for (let i = 0; i < codes.length; i += 1000) {
    const some = codes.slice(i, i + 1000);
    const safe = some.map((code) =>
      unsafe.has(code) ? `\\u{${code.toString(16)}}` : text(code)
    );
    await print(text(...some));
    lines.push([written, `${safe.join("")}\n`]);
  }
  mock.restore();
  for (const [line, expected] of lines) assert.equal(line, expected);
});

test("toPort takes whole numbers from 0 to 65535, and ends at others", (t) => {
  for (const port of [0, 1, 9999, 65535]) assert.equal(toPort(`${port}`), port);
  const said = t.mock.method(console, "error", () => {});
  const exit = t.mock.method(process, "exit", () => {
    throw new Error("exit");
  });
  const wrong = ["", "abc", "65536", "-1", "1e3", "80.5", " 80", "0x50", "٣"];
  for (const port of wrong) assert.throws(() => toPort(port), /^Error: exit$/);
  assert.deepEqual(
    said.mock.calls.map(({ arguments: [line] }) => line),
    wrong.map((port) => `PORT is ${port}, not a whole number from 0 to 65535`),
  );
  assert(exit.mock.calls.every((call) => call.arguments[0] === 1));
});
