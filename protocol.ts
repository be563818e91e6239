// What server.ts and client.ts agree on: a message is 1 to 1024 bytes of UTF-8,
// and ends when its sender finishes sending. The article's programs do not say
// when they have finished, so 500 ms of silence after a piece ends it, too.

import { isUtf8 } from "node:buffer";
import type { Socket } from "node:net";

const MAX_BYTES = 1024; // the most that the article's recv(1024) returns

/** Returns `text` in UTF-8. Throws an Error if it has more than 1024 bytes. */
export function encode(text: string): Buffer {
  const bytes = Buffer.from(text); // text.encode("utf-8")
  checkLength(bytes.length);
  return bytes;
}

/**
 * Returns the text of `bytes`, safe to print: without white space at its end
 * (in `nc`, Enter adds a line break), and with `?` for each control character
 * (some can clear the screen). Throws an Error if `bytes` is not a message.
 */
export function decode(bytes: Buffer): string {
  if (bytes.length === 0) throw new Error("received nothing");
  checkLength(bytes.length);
  if (!isUtf8(bytes)) throw new Error("received bytes that are not UTF-8");
  const text = bytes.toString().trimEnd(); // bytes.decode("utf-8").rstrip()
  return text.replace(/\p{Control}/gu, "?");
}

function checkLength(length: number) {
  if (length <= MAX_BYTES) return;
  throw new Error(`message too long: ${length} bytes, at most ${MAX_BYTES}`);
}

/**
 * Waits for the end of a message, and returns its bytes: b"" if nothing comes
 * for 30 s. (One recv(1024) might return only a part.) Throws an Error if the
 * connection fails.
 */
export function receive(socket: Socket): Promise<Buffer> {
  let bytes = Buffer.alloc(0); // b""
  // Promise calls this at once, with two functions: resolve(x) makes `await`
  // return x, and reject(err) makes it raise err. Only the first call counts.
  return new Promise((resolve, reject) => {
    socket.setTimeout(30_000); // "timeout" comes after 30 s without a byte.
    socket.on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]); // bytes += chunk
      if (bytes.length > MAX_BYTES) resolve(bytes); // decode() will refuse it.
      socket.setTimeout(500); // From now on, "timeout" comes after 500 ms.
    });
    socket.on("timeout", () => resolve(bytes));
    socket.on("end", () => resolve(bytes)); // The sender has finished sending.
    socket.on("error", reject);
  });
}
