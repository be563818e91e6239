// Loaded ahead of a script. WAITS={"500":20} lets a wait of 500 ms last 20 ms,
// and a longer one 11 days. FAULT=accept lets an accept fail, FAULT=mistake a line.

import { Server, Socket } from "node:net";
import process from "node:process";

const { WAITS, FAULT } = process.env;
const waits: Record<number, number> = JSON.parse(WAITS || "{}");
const wait = (ms: number) => waits[ms] ?? (WAITS && ms >= 500 ? 10 ** 9 : ms);
globalThis.setTimeout = new Proxy(globalThis.setTimeout, {
  apply: (original, self, [callback, ms, ...rest]) =>
    Reflect.apply(original, self, [callback, wait(ms), ...rest]),
});
const { setTimeout } = Socket.prototype;
Socket.prototype.setTimeout = function (ms, callback) {
  return setTimeout.call(this, wait(ms), callback);
};
const { listen } = Server.prototype;
if (FAULT === "accept") {
  Server.prototype.listen = function (this: Server, ...args: unknown[]) {
    this.once("connection", () => this.emit("error", new Error("accept EIO")));
    return Reflect.apply(listen, this, args);
  };
}
if (FAULT === "mistake") Object.assign(Socket.prototype, { end: "a typo" });
