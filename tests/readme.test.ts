// The README as it stands: its commands are run as a reader pastes them, its
// code is held to the files, and its table to what the scripts really say.

import assert from "node:assert/strict";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { listen, listening, OK, root, serve, start } from "./helper.ts";
import { startControlled } from "./helper.ts";
import * as article from "./python.ts";
import { linux, posix, python, tsx } from "./runtimes.ts";

process.env.NODE_V8_COVERAGE = ""; // Other tests cover the scripts already.

const readme = fs.readFileSync(join(root, "README.md"), "utf8");
const scripts = ["server.ts", "client.ts", "protocol.ts"];
const blocks = [...readme.matchAll(/^```(.+)\n([^]*?)^```$/gm)]
  .map(([, kind = "", text = ""]) => ({ kind, text }));

function find(wanted: string): string {
  return String(blocks.find(({ kind }) => kind === wanted)?.text);
}

/** Each block is run or compared here, or this says why it is not. */
const notRun: Record<string, string> = {
  "sh node": "article.test.ts does, where Node is new enough",
  "sh network": "tests send to this machine alone",
  "sh nc": "a person types there; article.test.ts has nc",
  "sh tests": "these are the tests themselves",
  powershell: "CI has none; the same variables are set for sh",
  mermaid: "it is a picture, and was looked at",
};

/** Ports are others each time. */
function masked(text: string): string {
  return text.replace(/(127\.0\.0\.1'?[,:] ?)\d+/g, "$1PORT");
}

/** A folder with the three scripts alone, and tsx as npx would fetch it. */
function folder(t: TestContext): string {
  const cwd = fs.mkdtempSync(join(tmpdir(), "readme "));
  t.after(() => fs.rmSync(cwd, { recursive: true }));
  for (const file of scripts) {
    fs.copyFileSync(join(root, file), join(cwd, file));
  }
  fs.symlinkSync(join(root, "node_modules"), join(cwd, "node_modules"));
  return cwd;
}

test("each command prints what the README shows", {
  skip: posix || python(),
}, async (t) => {
  const cwd = folder(t);
  const says = "import sys; print('listening on', server.getsockname(), " +
    "file=sys.stderr)"; // so that the test knows when it does
  const theirs = find("python article").replace("9999", "0")
    .replace("server.listen(4)", `$&; ${says}`);
  let server = start(t, ["true"]); // the first terminal
  let port = 0;
  let last = ""; // what was pasted last into the second terminal
  let printed = ""; // by that
  /** Pastes `text` into a terminal; 9999 and 8888 stand for the port. */
  const paste = (text: string, port: number) => {
    const env = { PORT: String(port) };
    const line = text.replaceAll(/9999|8888/g, env.PORT);
    // npx takes most of a second to find what it has found before.
    const bin = last ? "node_modules/.bin/tsx" : "npx -y tsx";
    const shell = ["sh", "-c", line.replaceAll("npx -y tsx", bin)];
    return start(t, shell, { cwd, env });
  };
  for (const { kind, text } of blocks) {
    if (kind === "sh server") {
      assert.equal((await server.ended()).code, 0, "the one before has ended");
      server = paste(`${text.trim()} 2>&1`, 0);
      const [, found] = await server.stdout.match(/^listening on .* (\d+)\)\n/);
      port = Number(found);
    } else if (kind === "sh") {
      const { stdout, stderr, code } = await paste(text, port).ended();
      last = text;
      assert.deepEqual([stderr, code], ["", 0], text);
      printed = stdout;
    } else if (kind === "text") {
      assert.equal(printed, text, last);
    } else if (kind === "text server") {
      await server.stdout.until(
        text,
        () => masked(server.stdout.text).endsWith(masked(text)),
      );
    } else if (kind === "text article") {
      const python = start(t, ["python3", "-u", "-c", theirs]);
      const end = await paste(last, await listening(python.stderr)).ended();
      python.child.kill();
      const { stdout, stderr } = await python.ended();
      const all = masked(end.stderr + stdout + stderr);
      assert(all.includes(masked(text)), all);
    }
  }
  assert.equal((await server.ended()).code, 0);
});

test("each block is run or compared, or says why not", () => {
  const tried = "sh server,sh,text,text server,text article,python article," +
    "python,ts,ts change,ts server.ts,ts client.ts,ts protocol.ts";
  for (const { kind, text } of blocks) {
    assert(tried.split(",").includes(kind) || notRun[kind], kind);
    const [, file = ""] = kind.split(/^ts (?!change)/);
    if (!file) continue;
    const whole = fs.readFileSync(join(root, file), "utf8");
    if (file === "protocol.ts") assert(whole.includes(text), text);
    else assert.equal(text, whole, `paste ${file} into the README`);
  }
});

test("the change that it proposes makes the server answer in capitals", async (t) => {
  const cwd = folder(t);
  const bin = join(cwd, "node_modules/.bin/tsx");
  const text = fs.readFileSync(join(cwd, "server.ts"), "utf8");
  assert(text.includes(find("ts")));
  const changed = text.replace(find("ts"), find("ts change"));
  fs.writeFileSync(join(cwd, "server.ts"), changed);
  const env = { PORT: "0" };
  const server = start(t, [bin, "server.ts"], { cwd, env });
  env.PORT = String(await listening(server.stderr));
  const client = start(t, [bin, "client.ts", "close"], { cwd, env });
  assert.equal((await client.ended()).stdout, "CLOSE\n");
});

test("its lines of Python end the wait", { skip: python() }, async (t) => {
  const [one, two] = blocks.filter(({ kind }) => kind === "python");
  const insert = (code: string, line: unknown) => [
    "python3",
    "-c",
    code.replace(/^( *).*\.send\(.*$/m, `$&\n$1${line}`),
  ];
  const { port } = await serve(t); // No wait is ever over here.
  const hey = insert(article.client, one?.text);
  const env = { PORT: String(port) };
  const end = await start(t, [...hey, "hey"], { env }).ended();
  assert.equal(end.stdout, `${OK}\n`);
  const { stderr } = start(t, insert(article.server, two?.text));
  env.PORT = String(await listening(stderr));
  const client = await startControlled(t, tsx, ["client.ts", "hey"], { env });
  assert.equal((await client.ended()).stdout, `${OK}\n`);
});

test("its table has what the scripts print", {
  skip: linux, // It has /dev/full.
}, async (t) => {
  const server = await serve(t);
  for (const text of ["x".repeat(1025), "\xff", "", "\x1b[2J"]) {
    await server.say(t, Buffer.from(text, "latin1"));
  }
  (await server.open(t)).socket.resetAndDestroy();
  const late = await server.open(t);
  server.running.pass(30_000);
  await late.dropped();
  await server.open(t); // It is dropped at the close.
  const begun = server.running.begun(500);
  await server.say(t, "close");
  await server.running.waits(500, begun + 2);
  server.running.pass(500);
  const { stdout, stderr } = await server.running.ended();

  const run = (script: string, PORT: unknown, stdout?: number) =>
    start(t, [...tsx.command, ...script.split(" ")], {
      env: { PORT: String(PORT) },
      stdout,
    });
  const full = fs.openSync("/dev/full", "w");
  const unprinted = [run("server.ts", 0, full), run("server.ts", 0)];
  unprinted[1]?.child.stdout?.destroy();
  for (const { stderr } of unprinted) {
    await run("client.ts hey", await listening(stderr)).ended();
  }
  fs.closeSync(full);
  const { port, close } = await listen();
  const taken = run("server.ts", port);
  await taken.ended();
  close();
  const calls = ["client.ts hey", "client.ts", `client.ts ${"x".repeat(1025)}`];
  const all = [...unprinted, taken, run("server.ts", "abc")]
    .concat(calls.map((call) => run(call, port)));
  const said = await Promise.all(all.map((one) => one.ended()));
  const lines = [stdout, stderr, ...said.map(({ stderr }) => stderr)]
    .flatMap((text) => masked(text).split("\n"));
  const rows = [...readme.matchAll(/^\| `(.+?)` \| (client|server|both)/gm)];
  assert(rows.length >= 14);
  for (const [, message] of rows) {
    assert(lines.includes(masked(String(message))), `${message}\n${lines}`);
  }
});

test("every link inside the repository leads somewhere", () => {
  const slugs = [...readme.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    "#" + heading.toLowerCase().replace(/[^\w -]/g, "").replaceAll(" ", "-")
  );
  for (const [, link = ""] of readme.matchAll(/\]\((?!https:)([^)]+)\)/g)) {
    assert(slugs.includes(link) || fs.existsSync(join(root, link)), link);
  }
});

test("each script fits on a screen", () => {
  for (const [i, most] of [54, 32, 95].entries()) {
    const text = fs.readFileSync(join(root, String(scripts[i])), "utf8");
    assert(text.split("\n").length - 1 <= most, scripts[i]);
    assert(!/.{81}/.test(text), `${scripts[i]} has a line of over 80`);
  }
});
