// What both scripts use: encode(), decode(), receive(), print() and fail().

import { isUtf8 } from "node:buffer";
import type { Socket } from "node:net"; // a type, for type hints only

const MAX_BYTES = 1024; // the longest message, as in the article's recv(1024)

/** Returns `text` in UTF-8. Throws an Error unless it has 1 to 1024 bytes. */
export function encode(text: string): Buffer {
  const bytes = Buffer.from(text); // bytes = text.encode("utf-8")
  if (bytes.length >= 1 && bytes.length <= MAX_BYTES) return bytes;
  throw new Error(`message has ${bytes.length} bytes, not 1 to ${MAX_BYTES}`);
}

/**
 * Returns the text of `bytes`, minus one line break at its end: tools such as
 * `nc` add it. Throws an Error unless `bytes` is 1 to 1024 bytes of UTF-8.
 */
export function decode(bytes: Buffer): string {
  if (bytes.length < 1 || bytes.length > MAX_BYTES) {
    throw new Error(`received ${bytes.length} bytes, not 1 to ${MAX_BYTES}`);
  }
  if (!isUtf8(bytes)) throw new Error("received bytes that are not UTF-8");
  return bytes.toString().replace(/\r?\n$/, ""); // re.sub(r"\r?\n$", "", text)
}

/**
 * Returns the bytes of one message as a Promise, which `await` waits for. The
 * message is complete when its sender finishes sending. The article's programs
 * never do, so 500 ms with nothing new also complete it. Throws an Error if the
 * connection fails, or if the message is not complete in 30 s.
 */
export function receive(socket: Socket): Promise<Buffer> {
  let bytes = Buffer.alloc(0); // b"" (let, not const: it will change)
  // Two functions from Node: resolve(value) ends `await`, reject(err) raises.
  return new Promise((resolve, reject) => {
    socket.on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]); // chunk is what recv() returns.
      if (bytes.length > MAX_BYTES) resolve(bytes); // too long: decode() throws
      socket.setTimeout(500); // "timeout" comes after 500 ms without a chunk.
    });
    socket.on("timeout", () => resolve(bytes)); // Later calls do nothing.
    socket.on("timeout", () => socket.removeAllListeners("data")); // drop more
    socket.on("end", () => resolve(bytes)); // The sender has finished sending.
    socket.on("error", (err) => reject(err));
    const timer = setTimeout(() => {
      reject(new Error("no complete message in 30 s"));
    }, 30_000);
    socket.on("close", () => clearTimeout(timer)); // else it delays our exit
  });
}

/**
 * Prints `text` as one line. `await` waits until it is written. Characters that
 * start a new line, move the cursor or reverse the writing direction (Bidi)
 * are shown as codes such as `\u{1b}`. On failure, it ends the program.
 */
export function print(text: string): Promise<void> {
  const line = text.replace(
    // any character of these four kinds; g: all of them, not just the first
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
