// What the server and the client share: how a message becomes bytes and text
// again, and where it ends in the stream of bytes that TCP carries.

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import process from "node:process";

const MAX_BYTES = 1024; // as in the article's recv(1024)
const QUIET_MS = 500; // TCP sends a lost segment again after some 200
const DEADLINE_MS = 30_000; // for a whole message, connecting included
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const hidden = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;
const refuse = (socket: Socket, why: string) => socket.destroy(new Error(why));

/** The UTF-8 bytes of `message`. A RangeError unless they are 1 to 1024. */
export function encode(message: string): Uint8Array {
  const bytes = Buffer.from(message);
  if (bytes.length > 0 && bytes.length <= MAX_BYTES) return bytes;
  throw new RangeError(`${bytes.length} bytes, not 1 to ${MAX_BYTES}`);
}

/** The text of `bytes`, less a last line break. A TypeError unless UTF-8. */
export function decode(bytes: Uint8Array): string {
  return utf8.decode(bytes).replace(/\r?\n$/, "");
}

/**
 * The bytes of a peer's one message. A read may return half of it, so it ends
 * where the peer ends its half of the connection or, as some never do (the
 * article's, `nc`), once nothing has come for 500 ms. Whoever then sends more,
 * or is still there 500 ms later, is dropped. Rejects if no byte comes, more
 * than 1024 do, they are not whole within 30 s, or the connection fails.
 */
export function receive(socket: Socket): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer | undefined;
    const late = setTimeout(refuse, DEADLINE_MS, socket, "not whole in 30 s");
    if (!socket.connecting && !socket.remoteAddress) refuse(socket, "reset");
    socket.on("data", (chunk: Buffer) => {
      bytes = bytes ? Buffer.concat([bytes, chunk]) : chunk;
      if (bytes.length > MAX_BYTES) refuse(socket, "more than 1024 bytes");
      socket.setTimeout(QUIET_MS);
    });
    socket.on("timeout", () => {
      const before = bytes!;
      // Was this process held up? Then what waits is read before it decides.
      setTimeout(setImmediate, 20, () => {
        if (bytes !== before) return;
        resolve(before);
        socket.on("data", () => socket.destroy());
        socket.setTimeout(QUIET_MS, () => socket.destroy());
      });
    });
    socket.on("end", () => {
      if (bytes) resolve(bytes);
      else refuse(socket, "closed without a message");
    });
    socket.on("error", reject);
    socket.on("close", () => clearTimeout(late));
  });
}

/** The `text` with what moves a cursor or forges a line as `\u{1b}`. */
export function visible(text: string): string {
  return text.replace(hidden, (c) => `\\u{${c.charCodeAt(0).toString(16)}}`);
}

/**
 * HOST and PORT of the environment, or else these, then both as one text.
 * Ends the process where PORT is not a whole number from `lowest` to 65535.
 */
export function address(host: string, port: number, lowest: number) {
  const ip = process.env.HOST || host;
  const text = process.env.PORT || `${port}`;
  const at = `${ip.includes(":") ? `[${ip}]` : ip}:${text}`;
  if (/^\d+$/.test(text) && +text >= lowest && +text <= 65535) {
    return [ip, +text, at] as const;
  }
  return fail(`${at}: PORT is not a whole number from ${lowest} to 65535`);
}

/** Ends the process with one line on standard error and the exit code. */
export function fail(line: string, code = 1): never {
  console.error(line);
  process.exit(code);
}
