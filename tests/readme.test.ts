// What a reader of the README does: copy the scripts, run and change them.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { after, test, type TestContext } from "node:test";

const read = (file: string) => fs.readFileSync(file, "utf8");
const masked = (text: string) => text.replace(/\d+(?=\))/g, "PORT");
const readme = read("README.md");
const scripts = ["server.ts", "client.ts", "protocol.ts"];

// The reader's folder. There is no package.json in it.
const cwd = fs.mkdtempSync(join(tmpdir(), "okay got it "));
after(() => fs.rmSync(cwd, { recursive: true }));
for (const file of [...scripts, "tests/faults.py", "tests/python_server.py"]) {
  fs.copyFileSync(file, join(cwd, basename(file)));
}

/** Returns the one block of the README in which `part` stands. */
function block(part: string): string {
  const blocks = readme.split(/^```.*\n/m).filter((_, i) => i % 2);
  const [found, ...more] = blocks.filter((text) => text.includes(part));
  assert(found && more.length === 0, `not in one block of README.md: ${part}`);
  return found;
}

/** Runs a command. Its program ends with the test at the latest. */
function run(t: TestContext, line: string, PORT = "0") {
  const words = line.trim().split(" ");
  if (words[0] === "npx") words.splice(0, 3, ...tsx);
  const [program = "", ...args] = words;
  const env: NodeJS.ProcessEnv = { ...process.env, PORT, SERVER_IP: "" };
  // What else a person has set is not for the scripts.
  env.NO_COLOR = env.FORCE_COLOR = env.NODE_OPTIONS = undefined;
  const child = spawn(program, args, { cwd, env });
  const printed = { stdout: "", stderr: "" };
  child.stdout.on("data", (text) => printed.stdout += text);
  child.stderr.on("data", (text) => printed.stderr += text);
  const ended = once(child, "close").then(() => printed);
  t.after(async () => {
    child.kill("SIGKILL");
    await ended;
    if ("passed" in t && t.passed) return; // newer than the types of Node 20
    t.diagnostic(`${line}: ${JSON.stringify(printed, null, 2)}`);
  });
  const line1 = once(createInterface(child.stderr), "line");
  const listening = async () => `${await line1}`.match(/(\d+)\W*$/)?.[1];
  return { ended, listening };
}

const tsx = [process.execPath, "--import", import.meta.resolve("tsx")];
const timeout = 60_000; // in ms; only a fault makes a test last so long

test("it has the scripts, byte for byte", () => {
  for (const script of scripts.map(read)) {
    assert.equal(block(script.slice(0, 40)), script);
  }
});

test("it shows what the first commands print", { timeout }, async (t) => {
  const server = run(t, block("npx -y tsx server.ts\n"));
  const port = await server.listening();
  const replies = [];
  for (const line of block("npx -y tsx client.ts").trim().split("\n")) {
    replies.push((await run(t, line, port).ended).stdout);
  }
  assert.equal(replies.join(""), block("OKay got it\nOKay got it\n"));
  const { stdout, stderr } = await server.ended;
  assert.equal(masked(stderr + stdout), masked(block("20800")));
});

const unix = ["-c", "import os; assert os.linesep == '\\n'"];
const python = spawnSync("python3", unix).status === 0 || process.env.NO_SKIPS;
const skip = !python && "no Python with Unix line ends here";

test("it shows three faults", { skip, timeout }, async (t) => {
  const ours = run(t, "npx -y tsx server.ts");
  const theirs = run(t, "python3 -u python_server.py");
  const [port, their] = [await ours.listening(), await theirs.listening()];
  const faults = [
    ["pieces", "OKay got it", "OKay got it"],
    ["pieces", "OKay got it", "OKay got it"], // if a pause has ended the first
    ["silent", "OKay got it", "no reply: timed out"],
    ["bad", "no reply", "no reply"],
  ];
  for (const [fault, reply, theirReply] of faults) {
    const client = run(t, `python3 faults.py ${fault} ${port} ${their}`);
    const { stdout } = await client.ended;
    assert.equal(stdout, `${port} ${reply}\n${their} ${theirReply}\n`);
  }
  await run(t, "npx -y tsx client.ts close", port).ended;
  const { stdout, stderr } = await ours.ended;
  assert.match(stdout, /^(.*\n)?.* hey bruh\n.* hey bruh\n.* close\n/);
  assert(masked(stderr).includes(masked(block("Error: received nothing"))));
  assert.match(stderr, /: received bytes that are not UTF-8\n$/);
  const broken = await theirs.ended;
  assert.match(broken.stdout, / hey \n.*- \n.* hey bruh\n$/);
  assert.match(broken.stderr, /UnicodeDecodeError/);
});

const change = (by: string) =>
  read("server.ts").replace(/.*\/\/ send\(\)\n/, block(by));
const changes = [
  ["reply.ts", change("Nice to hear"), "Nice to hear from you\n"],
  ["echo.ts", change("commSocket.write(encode(message))"), "hey\n"],
] as const;
for (const [file, code, reply] of changes) {
  test(`it shows ${file}, which answers`, { timeout }, async (t) => {
    fs.writeFileSync(join(cwd, file), code);
    const port = await run(t, `npx -y tsx ${file}`).listening();
    const { stdout } = await run(t, "npx -y tsx client.ts hey", port).ended;
    assert.equal(stdout, reply);
  });
}
