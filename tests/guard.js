// Ends what a test run leaves behind if the run itself is killed. Each test file
// starts one guard, and tells it, a line each: "start 123", "end 123".

import process from "node:process";
import { createInterface } from "node:readline";

const running = new Set();
for await (const line of createInterface({ input: process.stdin })) {
  const [what, id] = line.split(" ");
  if (what === "start") running.add(id);
  else running.delete(id);
}

// The input has ended, so the test file has.
for (const id of running) {
  try {
    process.kill(Number(id), "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
