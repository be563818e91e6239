// What a reader of the README does: compare, paste, run and change.

import assert from "node:assert/strict";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { noPython, noShell, OK, open, runtimes, start } from "./helper.ts";

const read = (file: string) => fs.readFileSync(file, "utf8");
const readme = read("README.md");
const scripts = ["server.ts", "client.ts", "protocol.ts"];

/** Returns the one block of the README in which `part` stands. */
function block(part: string): string {
  const blocks = readme.matchAll(/^```\w+\n([^]*?)^```$/gm);
  const texts = Array.from(blocks, ([, text = ""]) => text);
  const [found, ...more] = texts.filter((text) => text.includes(part));
  assert(found && more.length === 0, `not in one block of the README: ${part}`);
  return found;
}

/** Replaces `part`, which must stand in `text` once. */
function replace(text: string, part: string, by: string): string {
  assert.equal(text.split(part).length, 2, `not once: ${part}`);
  return text.replace(part, () => by);
}

/** Makes a folder with the scripts, `file`, and tsx, in which a reader types. */
function reader(t: TestContext, file = "README.md", text = readme) {
  const cwd = fs.mkdtempSync(join(tmpdir(), "alone ü "));
  t.after(() => fs.rmSync(cwd, { recursive: true }));
  for (const name of scripts) fs.writeFileSync(join(cwd, name), read(name));
  fs.writeFileSync(join(cwd, file), text);
  fs.symlinkSync(fs.realpathSync("node_modules"), join(cwd, "node_modules"));
  return (line: string, PORT = "0") => start(t, line, { cwd, env: { PORT } });
}

for (const file of scripts) {
  test(`has the text of ${file}`, () => {
    const [head = ""] = read(file).split("\n"); // Its block begins so, too.
    if (process.env.PASTE) {
      const text = replace(read("README.md"), block(head), read(file));
      return fs.writeFileSync("README.md", text);
    }
    assert.equal(block(head), read(file), "PASTE=1 npm test copies it there");
  });
}

test("sets the article's lines beside ours, in their order", () => {
  for (const [file, count] of [["server.ts", 16], ["client.ts", 8]] as const) {
    const [, rest = ""] = readme.split(`\`${file}\` |\n| --- | --- |\n`);
    const rows = rest.split("\n\n")[0]?.split("\n") ?? [];
    assert.equal(rows.length, count);
    let from = 0;
    for (const row of rows) {
      const [, cell = ""] = row.split(/ \| (?=[`<–])/); // the one on the right
      for (
        const [, code = ""] of cell.matchAll(
          /(?:``|`|<code>)(.+?)(?:``|`|<\/code>)( |$)/g,
        )
      ) {
        from = read(file).indexOf(code.replaceAll("&#124;", "|"), from);
        assert.notEqual(from, -1, `not in ${file}, or not there: ${code}`);
      }
    }
  }
});

test("can be pasted into the engines of blogs, and links to what is there", () => {
  assert.doesNotMatch(readme, /^```\w+[^\w\n]|\{\{|\{%/m);
  for (const [, link = ""] of readme.matchAll(/\]\((?!https:|#)(.*?)\)/g)) {
    assert(fs.existsSync(link), link);
  }
});

test("shows what the first commands print", { skip: noShell }, async (t) => {
  const types = reader(t);
  const server = types(block("npx -y tsx server.ts\n"));
  const port = await server.listening();
  const client = types(block("npx -y tsx client.ts hey bruh\n"), port);
  const { stdout: replies } = await client.ended(120); // It starts npx twice.
  assert.equal(replies, block(`${OK}\n${OK}`));
  const { stdout, stderr } = await server.ended();
  const masked = (text: string) => text.replace(/(1', )\d+/g, "$1PORT");
  assert.equal(masked(stderr + stdout), masked(block("20800")));
});

test("shows the faults of article.py", { skip: noPython }, async (t) => {
  const ours = start(t, [...runtimes[0]?.command ?? [], "server.ts"]);
  const theirs = start(t, ["python3", "-u", "tests/article.py"]);
  const [port, their] = [await ours.listening(), await theirs.listening()];
  const faults = readme.split("`python3 faults.py ").slice(1);
  assert.equal(faults.length, 3);
  for (const text of faults) {
    const [fault = ""] = text.split("`");
    const words = ["tests/faults.py", fault, port, their];
    const client = start(t, ["python3", ...words]);
    await client.ended();
    const [, ...sentences] = text.split("\n- "); // one for each terminal
    for (const [i, terminal] of [ours, theirs, client].entries()) {
      const [sentence = ""] = sentences[i]?.split("\n") ?? [];
      for (const [, shown = ""] of sentence.matchAll(/`(.+?)`/g)) {
        await terminal.shows(
          shown.replace("9999", port).replace("9998", their),
        );
      }
    }
  }
  assert.match(theirs.stdout.text, /^.* ----- hey \n/); // only the first piece
});

const line = '    commSocket.write(encode("OKay got it")); // send()\n';
const changed = replace(read("server.ts"), line, block("characters`"));
const lines = replace(
  block("createInterface({"),
  '9999, "127.0.0.1", () => console.error("listening on 9999")',
  `0, "127.0.0.1", () =>
    console.error("listening on ('_', " + Object(server.address()).port + ")")`,
);
const shared = 'import { decode, encode, receive } from "./protocol.ts";\n';
const listing = read("protocol.ts") + replace(read("server.ts"), shared, "");
for (
  const [name, file, code, reply] of [
    ["changes the reply", "server.ts", changed, "OKay got 3 characters"],
    ["shows a server of lines that answers client.ts", "lines.ts", lines, OK],
    ["tells how to make one listing", "listing.ts", listing, OK],
  ] as const
) {
  test(name, { skip: noShell }, async (t) => {
    const types = reader(t, file, code);
    const server = types(`npx -y tsx ${file}`);
    const port = await server.listening();
    const client = types("npx -y tsx client.ts hey", port);
    assert.equal((await client.ended(120)).stdout, `${reply}\n`);
    if (file !== "lines.ts") return;
    const { end, output } = await open(port);
    end("hey\nbruh\n");
    assert.equal(await output.all(), `${OK}\n${OK}\n`);
  });
}
assert(readme.includes(`\n\n\`\`\`ts\n${line}\`\`\`\n`), "the line to change");
