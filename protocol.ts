// What both scripts use: encode(), decode(), receive(), print() and fail().

import { isUtf8 } from "node:buffer";
import type { Socket } from "node:net"; // a type: only the editor uses it

const MAX_BYTES = 1024; // the longest message, as in the article's recv(1024)

/** Returns `text` in UTF-8. Throws an Error unless it has 1 to 1024 bytes. */
export function encode(text: string): Buffer {
  const bytes = Buffer.from(text); // bytes = text.encode("utf-8")
  if (bytes.length >= 1 && bytes.length <= MAX_BYTES) return bytes;
  throw new Error(`message has ${bytes.length} bytes, not 1 to ${MAX_BYTES}`);
}

/**
 * Returns the text of `bytes`, minus one line break at its end: a terminal tool
 * such as `nc` adds one. Throws an Error unless it is 1 to 1024 bytes of UTF-8.
 */
export function decode(bytes: Buffer): string {
  if (bytes.length < 1 || bytes.length > MAX_BYTES) {
    throw new Error(`received ${bytes.length} bytes, not 1 to ${MAX_BYTES}`);
  }
  if (!isUtf8(bytes)) throw new Error("received bytes that are not UTF-8");
  return bytes.toString().replace(/\r?\n$/, ""); // re.sub(r"\r?\n$", "", text)
}

/**
 * Returns the bytes of one message as a Promise, for which `await` waits. The
 * message is complete when its sender finishes sending. The article's programs
 * never do: there it is complete when nothing more comes for 500 ms. Throws an
 * Error if the connection fails, or if the message is not complete in 30 s.
 */
export function receive(socket: Socket): Promise<Buffer> {
  let bytes = Buffer.alloc(0); // b"" (let, not const: it will change)
  // Node gives us resolve, to end `await` with a value, and reject, to raise.
  return new Promise((resolve, reject) => {
    socket.on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]); // chunk is what recv() returns.
      if (bytes.length > MAX_BYTES) resolve(bytes); // Then decode() throws.
      socket.setTimeout(500); // "timeout" comes after 500 ms without a chunk.
    });
    socket.on("timeout", () => resolve(bytes)); // The first call counts.
    socket.on("timeout", () => socket.removeAllListeners("data")); // late bytes
    socket.on("end", () => resolve(bytes)); // The sender has finished sending.
    socket.on("error", (err) => reject(err));
    const timer = setTimeout(() => {
      reject(new Error("no complete message in 30 s"));
    }, 30_000);
    socket.on("close", () => clearTimeout(timer)); // else Node waits for it
  });
}

/**
 * Prints `text` as one line. `await` waits until it is written. Characters that
 * start a new line, move the cursor or reverse the direction of writing (Bidi)
 * are shown as codes such as `\u{1b}`. If the line cannot be written, it fails.
 */
export function print(text: string): Promise<void> {
  const line = text.replace(
    // any character of one of these four kinds; g: not only the first one
    /[\p{Control}\p{Line_Separator}\p{Paragraph_Separator}\p{Bidi_Control}]/gu,
    (char) => `\\u{${char.charCodeAt(0).toString(16)}}`, // hex(ord(char))
  );
  return new Promise<void>((resolve) => {
    process.stdout.write(`${line}\n`, (err) => err ? fail(err) : resolve());
  }).catch(fail); // if write() itself raises an error
}

/** Prints what `err` (like OSError) says, and ends the program: sys.exit(1). */
export function fail(err: NodeJS.ErrnoException): void {
  console.error(err.message || err.code); // Some errors have only a code.
  process.exit(1);
}
