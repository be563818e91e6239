// What a reader does: the README's commands, each runtime, Python, and `nc`.

import assert from "node:assert/strict";
import { once } from "node:events";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { listening, netcat, OK, onEach, open, posix } from "./helper.ts";
import { python, root, runtimes, start, tsx, unless } from "./helper.ts";

const scripts = ["server.ts", "client.ts", "protocol.ts"];
const read = (file: string) => fs.readFileSync(join(root, file), "utf8");
const readme = read("README.md");
/** The text of a block of the README, as in ```kind. */
const block = (kind: string) =>
  readme.split(`\n\`\`\`${kind}\n`)[1]?.replace(/^```[^]*/m, "") ?? "";

const stale = scripts.find((file) => block(`ts ${file}`) !== read(file));
const skip = posix || stale && `README.md has another ${stale}`;
const noPython = skip || python;

// The article's server, on a free port, and its client.
const py = (code: string) => ["python3", "-uc", code];
const theirs = block("python article.py").replace("9998", "0");
const stderr = "file=__import__('sys').stderr"; // where our server says it
const theirServer = py(theirs.replace("name())", `name(), ${stderr})`));
const theirClient = py(`import os, socket, sys
client = socket.create_connection(("127.0.0.1", int(os.environ["PORT"])))
client.send(" ".join(sys.argv[1:]).encode("utf-8"))
print(client.recv(1024).decode("utf-8"))`);

/** A folder with the three scripts alone, and tsx as npx would fetch it. */
function folder(t: TestContext): string {
  const cwd = fs.mkdtempSync(join(tmpdir(), "alone ü "));
  t.after(() => fs.rmSync(cwd, { recursive: true }));
  for (const file of scripts) fs.writeFileSync(join(cwd, file), read(file));
  fs.symlinkSync(join(root, "node_modules"), join(cwd, "node_modules"));
  return cwd;
}

/** Says `hey bruh` and `close`, and compares all that both sides print. */
async function session(t: TestContext, pair: string[][], reply = OK) {
  const [server = [], client = []] = pair;
  const running = start(t, server);
  const env = { PORT: `${await listening(running)}` };
  for (const words of [["hey", "bruh"], ["close"]]) {
    const end = await start(t, [...client, ...words], { env }).ended();
    assert.deepEqual(end, { stdout: `${reply}\n`, stderr: "", code: 0 });
  }
  const { stdout, stderr, code } = await running.ended();
  const masked = (text: string) => text.replace(/(1', )\d+/g, "$1PORT");
  assert.equal(masked(stderr + stdout), masked(block("text server")));
  assert.match(stdout, /(.*) ----- close\ndisconnecting from \1\n$/);
  assert.equal(code, 0);
}

onEach("the article's session", ({ command }) => {
  const server = [...command, "server.ts"];
  const client = [...command, "client.ts"];
  for (const { name, command, skip } of runtimes) {
    const client = [...command, "client.ts"];
    test(`client on ${name}`, { skip }, (t) => session(t, [server, client]));
  }
  test("in Python", { skip: python }, async (t) => {
    await session(t, [server, theirClient]);
    await session(t, [theirServer, client], "OKay got it");
  });

  const typed = "(echo hey bruh; exec sleep 5) | nc"; // as a person does
  for (const nc of ["echo hey bruh | nc", "echo hey bruh | nc -N", typed]) {
    test(nc, { skip: netcat }, async (t) => {
      const running = start(t, server);
      const port = await listening(running);
      await start(t, `${nc} 127.0.0.1 ${port}`).stdout.match(RegExp(`^${OK}$`));
      assert.match(running.stdout.text, /^\S+ \d+\) ----- hey bruh\n$/);
      running.child.kill("SIGINT"); // Ctrl-C
      assert.notEqual((await running.ended()).code, 0);
    });
  }

  for (
    const [bytes, ms, skip] of [
      ["hey", 500, false],
      ["", 30_000, unless(!!process.env.LONG, "only LONG=1 takes 30 s")],
    ] as const
  ) {
    test(`"${bytes}" has its end after ${ms} real ms`, { skip }, async (t) => {
      const { socket, send } = await open(await listening(start(t, server)));
      const before = performance.now();
      await send(bytes);
      await once(socket, "end");
      const took = performance.now() - before;
      assert(took > ms * 0.99, `${took}`); // More would be a guess.
    });
  }
});

test("the first commands print what is shown", { skip }, async (t) => {
  const cwd = folder(t);
  const server = start(t, block("sh server"), { cwd });
  const env = { PORT: `${await listening(server)}` };
  const client = start(t, block("sh"), { cwd, env });
  assert.equal((await client.ended()).stdout, block("text"));
  assert.equal((await server.ended()).code, 0);
});

test("awkward clients see what is said", { skip: noPython }, async (t) => {
  const cwd = folder(t);
  const [ours, theirs] = [
    start(t, [...tsx, "server.ts"]),
    start(t, theirServer),
  ];
  const port = await listening(ours);
  const ports = `${port}, ${await listening(theirs)}`;
  const faults = block("python faults.py").replace("9999, 9998", ports);
  fs.writeFileSync(join(cwd, "faults.py"), faults);
  const env = { PORT: `${port}` };
  const rows = readme.matchAll(/^\| It .* \| `(.*)` \| (.*) \| (.*) \|$/gm);
  for (const [, command = "", ...cells] of rows) {
    const { stdout, stderr } = await start(t, command, { cwd, env }).ended();
    for (const [i, server] of [ours, theirs].entries()) {
      const said = `${stdout}${stderr}`.replace(`${port}`, "9999") +
        server.stdout.text + server.stderr.text;
      for (const [, span = ""] of cells[i]?.matchAll(/`(.*?)`/g) ?? []) {
        assert(said.includes(span), `${command}: ${span}\n${said}`);
      }
    }
  }
  assert.match(theirs.stdout.text, /^.* ----- hey \n/); // only the first piece
  assert.equal((await ours.ended()).code, 0); // The last row closes it.
});

const changed = read("server.ts").replace(block("ts"), block("ts change"));
const sketch = block("ts lines.ts").replace("9999", "0") + `
  server.on("listening", () => console.error("listening on ('_', " +
    (server.address() as { port: number }).port + ")"));`;
for (
  const [code, sent, answer] of [
    [changed, "close", "CLOSE"],
    [sketch, "hey\nbruh\n", "OKay got it\n".repeat(2)],
  ] as const
) {
  test(`code that answers ${answer}`, { skip }, async (t) => {
    const cwd = folder(t);
    fs.writeFileSync(join(cwd, "server.ts"), code);
    const server = start(t, "node_modules/.bin/tsx server.ts", { cwd });
    const { end, output } = await open(await listening(server));
    end(sent);
    assert.equal(await output.all(), answer);
  });
}

test("the code is that of the files, and links lead somewhere", () => {
  if (stale) assert.equal(block(`ts ${stale}`), read(stale), `paste ${stale}`);
  for (const [, link = ""] of readme.matchAll(/\]\((?!https:)([^)]+)\)/g)) {
    assert(fs.existsSync(join(root, link)), link);
  }
});
