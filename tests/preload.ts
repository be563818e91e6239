// Loaded ahead of a script under test. WAITS='{"silence":20}' lets a wait last
// 20 ms. One that WAITS does not name never ends: the machine may be slow.

import { Socket } from "node:net";
import process from "node:process";

const NEVER = 2 ** 31 - 1; // the longest time that a timer takes, in ms
const waits = JSON.parse(process.env.WAITS ?? "{}");
const { silence = NEVER, close = NEVER, deadline = NEVER } = waits;

function unknown(ms: number): never {
  console.error(`tests/preload.ts knows no wait of ${ms} ms`);
  process.exit(1);
}

// The 500 ms after which silence counts as the end of a message.
const { setTimeout } = Socket.prototype;
Socket.prototype.setTimeout = function (ms, callback) {
  if (ms !== 500) unknown(ms);
  return setTimeout.call(this, silence, callback);
};

// The 500 ms that clients have after `close`, and the 30 s for a message. (Bun
// calls setTimeout for a socket, too: there the wait is already the new one.)
const known = new Map([[500, close], [30_000, deadline], [silence, silence]]);
globalThis.setTimeout = new Proxy(globalThis.setTimeout, {
  apply(original, self, [callback, ms, ...rest]) {
    const wait = known.get(ms) ?? (ms < 100 ? ms : unknown(ms)); // Bun's own: 1
    return Reflect.apply(original, self, [callback, wait, ...rest]);
  },
});
