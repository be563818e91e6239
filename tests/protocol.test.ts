// encode, decode and visible alone; receive is tested through both scripts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode, visible } from "../protocol.ts";

test("encode gives UTF-8, with nothing added", () => {
  assert.deepEqual([...encode("hey bruh")], [...Buffer.from("hey bruh")]);
  assert.deepEqual([...encode("€")], [0xe2, 0x82, 0xac]);
  assert.deepEqual([...encode("\ufeff")], [0xef, 0xbb, 0xbf]);
  assert.deepEqual([...encode("😀\n")], [0xf0, 0x9f, 0x98, 0x80, 0x0a]);
});

test("encode takes 1 to 1024 bytes, and names both numbers past that", () => {
  for (let size = 1; size <= 1024; size++) {
    assert.equal(encode("x".repeat(size)).length, size);
  }
  const refused = (numbers: RegExp) => ({
    name: "RangeError",
    message: numbers,
  });
  assert.throws(() => encode(""), refused(/^0 .*1024/));
  assert.throws(() => encode("x".repeat(1025)), refused(/^1025 .*1024/));
  assert.equal(encode("€".repeat(341) + "x").length, 1024);
  assert.throws(() => encode("€".repeat(342)), refused(/^1026 .*1024/));
});

test("decode takes one line break off the very end, and nothing else", () => {
  const text = (bytes: string) => decode(Buffer.from(bytes));
  assert.equal(text("hey\n"), "hey");
  assert.equal(text("hey\r\n"), "hey");
  assert.equal(text("hey\n\n"), "hey\n");
  assert.equal(text("hey\r\n\r\n"), "hey\r\n");
  assert.equal(text("hey\n\r"), "hey\n\r");
  assert.equal(text("hey\r"), "hey\r");
  assert.equal(text("\nhey\nbruh"), "\nhey\nbruh");
  assert.equal(text(" hey \t\u2028"), " hey \t\u2028");
  assert.equal(text("\n"), "");
});

test("decode keeps a byte order mark", () => {
  assert.equal(decode(Uint8Array.of(0xef, 0xbb, 0xbf, 0x78)), "\ufeffx");
});

test("decode throws at each class of bytes that are not UTF-8", () => {
  for (
    const bytes of [
      [0x80], // a continuation byte alone
      [0xbf],
      [0xc2], // a lead byte alone, of two, three and four
      [0xe2, 0x82],
      [0xf0, 0x9f, 0x98],
      [0xc2, 0x78], // a lead byte, then none that continues it
      [0xc0, 0x80], // overlong forms of two, three and four
      [0xc1, 0xbf],
      [0xe0, 0x80, 0xaf],
      [0xf0, 0x80, 0x80, 0xaf],
      [0xed, 0xa0, 0x80], // surrogates
      [0xed, 0xbf, 0xbf],
      [0xf4, 0x90, 0x80, 0x80], // past U+10FFFF
      [0xf5, 0x80, 0x80, 0x80], // bytes that UTF-8 never has
      [0xfe],
      [0xff],
    ]
  ) {
    assert.throws(() => decode(Uint8Array.from(bytes)), { name: "TypeError" });
    const within = [0x68, ...bytes, 0x69];
    assert.throws(() => decode(Uint8Array.from(within)), { name: "TypeError" });
  }
});

test("decode gives back what encode was given", () => {
  for (let size = 1; size <= 1024; size++) {
    const message = "x".repeat(size);
    assert.equal(decode(encode(message)), message);
  }
  for (let i = 0; i < 5000; i++) {
    const message = randomText(1 + Math.floor(Math.random() * 250));
    assert.equal(decode(encode(message)), message);
  }
});

test("visible escapes what moves a cursor or forges a line", () => {
  const escaped = new Set<number>();
  for (let code = 0; code <= 0x10ffff; code++) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    const char = String.fromCodePoint(code);
    const shown = visible(char);
    if (shown === char) continue;
    assert.equal(shown, `\\u{${code.toString(16)}}`);
    escaped.add(code);
  }
  const range = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, i) => from + i);
  assert.deepEqual([...escaped], [
    ...range(0x00, 0x1f), // controls
    ...range(0x7f, 0x9f),
    0x61c, // bidirectional controls
    0x200e,
    0x200f,
    0x2028, // line and paragraph separators
    0x2029,
    ...range(0x202a, 0x202e),
    ...range(0x2066, 0x2069),
  ]);
  assert.equal(visible("a\x1b[2J\nb"), "a\\u{1b}[2J\\u{a}b");
});

/** A well-formed string that ends in no line break. */
function randomText(length: number): string {
  let text = "";
  while (text.length < length) {
    const code = Math.floor(Math.random() ** 4 * 0x110000);
    if (code < 0xd800 || code > 0xdfff) text += String.fromCodePoint(code);
  }
  return text.endsWith("\n") ? text + "." : text;
}
