// How both scripts turn text into bytes and back, and find a message's end.

import { Buffer, isUtf8 } from "node:buffer"; // A Buffer holds bytes.
import type { Socket } from "node:net";
import process from "node:process";

const MAX_BYTES = 1024; // longest message, as in the article's recv(1024)

/** Gives `text` in UTF-8. Throws an Error unless that is 1 to 1024 bytes. */
export function encode(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length >= 1 && bytes.length <= MAX_BYTES) return bytes;
  throw new Error(`message has ${bytes.length} bytes, not 1 to ${MAX_BYTES}`);
}

/**
 * Gives the text of `bytes`, without one line break at its end (the terminal
 * tool `nc` adds one). Throws an Error unless it is 1 to 1024 bytes of UTF-8.
 */
export function decode(bytes: Buffer): string {
  if (bytes.length < 1 || bytes.length > MAX_BYTES) {
    throw new Error(`received ${bytes.length} bytes, not 1 to ${MAX_BYTES}`);
  }
  if (!isUtf8(bytes)) throw new Error("received bytes that are not UTF-8");
  return bytes.toString().replace(/\r?\n$/, ""); // drop a last "\n" or "\r\n"
}

/**
 * Gives the bytes of one message, later: use `await`. They may come in pieces.
 * The message ends when the sender finishes sending, or when no further piece
 * came for 500 ms (the article's client and `nc` finish only after our reply).
 * Throws an Error if the connection fails, or after 30 s.
 */
export function receive(socket: Socket): Promise<Buffer> {
  let bytes = Buffer.alloc(0); // b""
  // `await` returns x on resolve(x), raises x on reject(x). First call counts.
  return new Promise((resolve, reject) => {
    socket.on("data", (chunk) => { // A chunk is what one recv() would return.
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length > MAX_BYTES) resolve(bytes); // decode() refuses them.
      socket.setTimeout(500); // 500 ms without data: calls "timeout"
    });
    socket.on("timeout", () => socket.push(null)); // as if the sender had ended
    socket.on("end", () => resolve(bytes));
    socket.on("error", (err) => reject(err));
    const deadline = setTimeout(() => {
      socket.destroy(new Error("no complete message in 30 s")); // calls "error"
    }, 30_000);
    socket.on("close", () => clearTimeout(deadline)); // cancel the 30 s wait
  });
}

/**
 * Prints `text` as one line. `await` waits until it is written. Characters that
 * could start a new line, move the cursor or reverse text (Bidi) are shown as
 * codes such as `\u{1b}`. ([...]: any of these classes of characters; g: all.)
 */
export function print(text: string): Promise<void> {
  const line = text.replace(
    /[\p{Control}\p{Line_Separator}\p{Paragraph_Separator}\p{Bidi_Control}]/gu,
    (char) => `\\u{${char.charCodeAt(0).toString(16)}}`, // its number in hex
  );
  return new Promise((resolve) => { // once written: fail if err, else resolve
    process.stdout.write(`${line}\n`, (err) => err ? fail(err) : resolve());
  });
}

/** Ends the program, saying why, so never returns. Bugs are thrown again. */
export function fail(err: Error & { code?: string }): never { // code: optional
  if (err instanceof TypeError || err instanceof ReferenceError) throw err;
  console.error(err.message || err.code); // Some errors have only a code.
  process.exit(1); // 1: it failed
}
