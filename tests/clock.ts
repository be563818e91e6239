// Loaded ahead of a script, so that a test of a long wait is short, and a test
// of "at once" need not measure: CLOCK="30000=600" makes 30 s pass in 0.6 s.

import process from "node:process";

const real = globalThis.setTimeout;
const waits = new Map(
  (process.env.CLOCK ?? "").split(",").map((pair) => {
    const [from, to] = pair.split("=").map(Number);
    return [from, to];
  }),
);

globalThis.setTimeout = new Proxy(real, {
  apply(target, self, [callback, ms, ...rest]) {
    // So that a test that counts on a wait notices when it has changed.
    if (ms >= 1000 && !waits.has(ms)) throw new Error(`a wait of ${ms} ms`);
    const args = [callback, waits.get(ms) ?? ms, ...rest];
    return Reflect.apply(target, self, args);
  },
});
