// What the server and the client share. First, messages: their bytes, their
// text, and where one ends. Then printing, the port, and ending with an error.

import { Buffer, isUtf8 } from "node:buffer"; // A Buffer is an array of bytes.
import type { Socket } from "node:net";
import process from "node:process";

const MAX_BYTES = 1024; // of a message; the article's recv(1024) limits a read
const QUIET_MS = 500; // Bytes lost on the way are usually sent again sooner.
const DEADLINE_MS = 30_000; // In the client, this includes the connecting.
const receiving = new Set<Socket>(); // where the message is not complete yet

/** Gives the UTF-8 bytes of `message`. Throws a RangeError if not 1 to 1024. */
export function encode(message: string): Uint8Array {
  const bytes = Buffer.from(message);
  if (bytes.length >= 1 && bytes.length <= MAX_BYTES) return bytes;
  throw new RangeError(
    `the message has ${bytes.length} bytes, not 1 to ${MAX_BYTES}`,
  );
}

/**
 * Gives the text of `bytes`. If it ends in a line break, as `nc` sends it, that
 * one is removed. Throws a TypeError if the bytes are not UTF-8.
 */
export function decode(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new TypeError("not UTF-8");
  return Buffer.from(bytes).toString().replace(/\r?\n$/, "");
}

/**
 * Gives the bytes of the one message that the other side sends. A read may give
 * only a part of it, so this reads until the sender has finished sending. Some
 * senders (the article's client, `nc`) wait for the reply before they finish.
 * So, once bytes have come, 500 ms without more are the end as well.
 *
 * Throws an Error if no bytes or over 1024 come, if they are not complete in
 * 30 s, or if the connection fails.
 */
export async function receive(socket: Socket): Promise<Uint8Array> {
  const deadline = setTimeout(() => {
    socket.destroy(new Error(`not complete in ${DEADLINE_MS / 1000} s`));
  }, DEADLINE_MS);
  socket.on("timeout", () => socket.push(null)); // null ends the loop below.
  socket.on("error", () => {}); // Else it ends Node. The loop throws it, too.
  receiving.add(socket);
  let bytes = Buffer.alloc(0);
  try {
    // Each chunk is what one read gave. The socket stays open for the reply.
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length > MAX_BYTES) throw new Error(`over ${MAX_BYTES} bytes`);
      socket.setTimeout(QUIET_MS);
    }
  } finally {
    clearTimeout(deadline);
    receiving.delete(socket);
  }
  if (bytes.length === 0) throw new Error("no bytes came");
  return bytes;
}

/** Makes each `receive` that is not done yet throw an Error. */
export function stopReceiving(): void {
  for (const socket of receiving) socket.destroy(new Error("dropped at close"));
}

// With these, a client could fake another line, or turn the text around.
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;
const escape = (char: string) => `\\u{${char.charCodeAt(0).toString(16)}}`;
const cannotPrint = (error: Error) => fail(`cannot print: ${error.message}`);

/**
 * Prints `text` as one line, in which unsafe characters become `\u{1b}` and the
 * like. `await print(...)` waits until the line is written. If it cannot be
 * written, this ends the process.
 */
export function print(text: string): Promise<void> {
  const line = text.replace(UNSAFE, escape) + "\n";
  return new Promise<void>((done) => {
    process.stdout.write(line, (error) => error ? cannotPrint(error) : done());
  }).catch(cannotPrint); // Where a disk is full, Deno throws the error.
}

/** Gives the port, 0 to 65535, that `text` says, or ends the process. */
export function toPort(text: string): number {
  if (/^\d+$/.test(text) && Number(text) <= 65535) return Number(text);
  return fail(`PORT is ${text}, not a whole number from 0 to 65535`);
}

/** Ends the process with `line` on standard error and the exit code `code`. */
export function fail(line: string, code = 1): never {
  console.error(line.replace(UNSAFE, escape));
  process.exit(code);
}
