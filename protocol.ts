// What server.ts and client.ts agree on: a message is 1 to 1024 bytes of UTF-8.
// It ends when its sender finishes sending, or, once it has begun, after 500 ms
// of silence: the article's Python client finishes only when it has the reply.

import { isUtf8 } from "node:buffer";
import type { Socket } from "node:net";

const MAX_BYTES = 1024; // the most that the article's recv(1024) returns
const TOO_LONG = `message longer than ${MAX_BYTES} bytes`;

/** Returns `text` in UTF-8. Throws an Error if it has more than 1024 bytes. */
export function encode(text: string): Buffer {
  const bytes = Buffer.from(text); // text.encode("utf-8")
  if (bytes.length > MAX_BYTES) throw new Error(TOO_LONG);
  return bytes;
}

/**
 * Returns the text of `bytes`, without white space at its end (a client may add
 * a line break), and with `?` for each control character (some can clear the
 * screen). Throws an Error if there are no bytes, or they are not UTF-8.
 */
export function decode(bytes: Buffer): string {
  if (bytes.length === 0) throw new Error("received nothing");
  if (!isUtf8(bytes)) throw new Error("received bytes that are not UTF-8");
  const text = bytes.toString().trimEnd(); // bytes.decode("utf-8").rstrip()
  return text.replace(/\p{Control}/gu, "?");
}

/**
 * Returns the bytes of a message when it has ended, or b"" if none have come.
 * (One recv(1024) might return only a part of it.) Throws an Error as soon as
 * more than 1024 bytes have come, or the connection fails.
 */
export function receive(socket: Socket): Promise<Buffer> {
  let bytes = Buffer.alloc(0); // b""
  // new Promise(f) runs f at once, with two functions: resolve(x) makes await
  // return x, and reject(err) makes it raise err. Only the first call counts.
  return new Promise((resolve, reject) => {
    socket.setTimeout(30_000); // "timeout" comes after 30 s without a byte.
    socket.on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]); // bytes += chunk
      if (bytes.length > MAX_BYTES) reject(new Error(TOO_LONG));
      socket.setTimeout(500); // From now on, "timeout" comes after 500 ms.
    });
    socket.on("timeout", () => resolve(bytes));
    socket.on("end", () => resolve(bytes)); // The sender has finished sending.
    socket.on("error", reject); // Without this, no `catch` would get the error.
  });
}
