// Loaded ahead of a script, so that no test guesses how long something takes. A
// wait of 500 ms or more is never over by itself. The test is told of each, over
// a connection to the port that CONTROL names ("500"), and says when all of that
// length are over ("pass 500"), or that an accept fails ("accept ENOBUFS").
// LOOKUP=two gives each name two addresses.

import dns from "node:dns";
import { connect, Server, Socket } from "node:net";
import process from "node:process";

const waits = new Map<unknown, { ms: number; end: () => void }>();
const servers = new Set<Server>();
const test = connect(Number(process.env.CONTROL), "127.0.0.1");
test.setNoDelay(true).setEncoding("utf8").unref();
test.on("data", (text: string) => {
  for (const line of text.trim().split("\n")) {
    const [command, value] = line.split(" ");
    if (command === "accept") {
      for (const server of servers) server.emit("error", new Error(line));
    }
    for (const [wait, { ms, end }] of waits) {
      if (command !== "pass" || ms !== Number(value)) continue;
      waits.delete(wait);
      end();
    }
  }
});

function begin(wait: unknown, ms: number, end: () => void) {
  waits.set(wait, { ms, end });
  test.write(`${ms}\n`);
}

const { clearTimeout: realClear, setTimeout: realSet } = globalThis;
globalThis.setTimeout = new Proxy(realSet, {
  apply(set, self, [callback, ms, ...rest]) {
    if (!(ms >= 500)) return Reflect.apply(set, self, [callback, ms, ...rest]);
    const days = 2 ** 30; // ms, about 12 days: longer than any test
    const timer = Reflect.apply(set, self, [() => {}, days]);
    begin(timer, ms, () => {
      realClear(timer);
      callback(...rest);
    });
    return timer;
  },
});
globalThis.clearTimeout = (timer) => {
  waits.delete(timer);
  realClear(timer);
};
Socket.prototype.setTimeout = function (ms, callback) {
  if (callback) this.once("timeout", callback);
  begin(this, ms, () => this.emit("timeout"));
  return this;
};
const { listen } = Server.prototype;
Server.prototype.listen = function (this: Server, ...args: unknown[]) {
  servers.add(this);
  return Reflect.apply(listen, this, args);
};
type Found = (error: null, addresses: unknown) => void;
const lookup = (_name: string, _options: unknown, found: Found) =>
  found(null, [{ address: "127.0.0.1", family: 4 }, {
    address: "::1",
    family: 6,
  }]);
if (process.env.LOOKUP) Object.assign(dns, { lookup });
