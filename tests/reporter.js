// Node's spec reporter. At the end it also says what did not run, and why. (It is
// JavaScript because Node 20 loads a reporter before tsx.)

import { readdirSync } from "node:fs";
import process from "node:process";
import { Readable } from "node:stream";
import { spec } from "node:test/reporters";

export default async function* report(source) {
  const reasons = new Set();
  const folder = readdirSync("tests").filter((name) =>
    /\.test\.ts$/.test(name)
  );
  const unnamed = new Set(folder);
  async function* watched() {
    for await (const event of source) {
      const { file = "", skip } = event.data ?? {};
      unnamed.delete(file.split(/[\\/]/).at(-1));
      if (event.type === "test:pass" && skip) reasons.add(skip);
      yield event;
    }
  }
  yield* Readable.from(watched()).pipe(new spec());
  for (const reason of reasons) yield `not run: ${reason}\n`;
  for (const name of unnamed) {
    yield `not run: tests/${name} (does package.json name it?)\n`;
    process.exitCode = 1;
  }
}
