// The README as it stands: its console blocks are run, each quoted line of code
// is looked up in the scripts, and each link inside the repository is followed.

import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import process from "node:process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { missing, root, run, type Running } from "./helper.ts";

process.env.NODE_V8_COVERAGE = ""; // Covered by other tests already.

const readme = readFileSync(join(root, "README.md"), "utf8");
const scripts = ["server.ts", "client.ts", "protocol.ts"];
const code = scripts.map((file) => readFileSync(join(root, file), "utf8"));
const blocks = [...readme.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(
  ([, language, text]) => ({ language: language!, text: text! }),
);

/** The ports that TCP picks differ from one time to the next. */
function masked(text: string): string {
  return text
    .replace(/(\('127\.0\.0\.1'), \d+\)/g, "$1, PORT)")
    .replace(/^(listening on 127\.0\.0\.1):\d+$/m, "$1:PORT");
}

/** The commands of a console block, each with the output that is shown. */
function commands(block: string): { command: string; output: string }[] {
  return block.split(/^\$ /m).slice(1).map((part) => {
    const [first, ...rest] = part.split("\n");
    const more = rest.filter((line) => line.startsWith("> "));
    return {
      command: [first, ...more.map((line) => line.slice(2))].join("\n"),
      output: rest.slice(more.length).join("\n"),
    };
  });
}

test("every console block prints what it shows", {
  skip: missing(
    ["sh", "-c", "python3 --version && nc -h 2>&1 | grep OpenBSD"],
    "python3 or netcat-openbsd's nc is not on the PATH",
  ),
}, async (t) => {
  // A fresh folder with the three scripts, and tsx as npx would fetch it.
  const cwd = mkdtempSync(join(tmpdir(), "readme-"));
  t.after(() => rmSync(cwd, { recursive: true }));
  for (const file of scripts) copyFileSync(join(root, file), join(cwd, file));
  symlinkSync(join(root, "node_modules"), join(cwd, "node_modules"));

  /** Starts a server whose two outputs come as one, as on a terminal. */
  const start = async (command: string): Promise<[Running, string]> => {
    const env = { PORT: "0" };
    const server = run(t, ["sh", "-c", `${command} 2>&1`], { cwd, env });
    const [, port] = await server.stdout.until(/^listening on .*:(\d+)\n/m);
    return [server, port!];
  };
  /** Runs the commands of a block and compares what each prints. */
  const follow = async (text: string, port: string) => {
    for (const { command, output } of commands(text)) {
      const line = ["sh", "-c", command.replaceAll("9999", port)];
      const end = await run(t, line, { cwd, env: { PORT: port } }).end;
      // nc prints the reply without a line break.
      const printed = end.stdout + end.stderr;
      assert.equal(printed.trimEnd(), output.trimEnd(), command);
    }
  };

  const [transcript, clients, ...rest] = blocks
    .filter(({ language }) => language === "console")
    .map(({ text }) => text);
  const [first] = commands(transcript!);
  const [article, port] = await start(first!.command);
  await follow(clients!, port);
  const { code, stdout } = await article.end;
  assert.equal(code, 0);
  assert.equal(masked(stdout), masked(first!.output));

  // A block without a command is what the server has printed since the last.
  const [server, itsPort] = await start("npx tsx server.ts");
  let seen = server.stdout.text.length;
  assert(rest.length >= 7);
  for (const text of rest) {
    await follow(text, itsPort);
    if (text.startsWith("$ ")) continue;
    const count = text.split("\n").length - 1;
    await server.stdout.until(new RegExp(`^[^]{${seen}}(.*\n){${count}}`));
    assert.equal(masked(server.stdout.text.slice(seen)), masked(text));
    seen = server.stdout.text.length;
  }
  await follow("$ npx tsx client.ts close\nOKay got it\n", itsPort);
  assert.equal((await server.end).code, 0);
});

test("a block that is not run says why", () => {
  const reasons: Record<string, string> = {
    console: "is run",
    mermaid: "is a picture; it was rendered and looked at",
    sh: "is how to run these very tests",
  };
  for (const { language } of blocks) assert(reasons[language], language);
});

test("every quoted line of code stands in a script to the letter", () => {
  const [section] = readme.match(/^## Line by line\n.*?^## /ms)!;
  const rows = section.split("\n").filter((line) => line.startsWith("| "));
  const quotes = rows.slice(2).map((row) => {
    const cell = row.split(" | ")[1]!;
    return cell.replace(/^(`+) ?(.*?) ?\1$/, "$2");
  });
  assert(quotes.length >= 12);
  for (const quote of quotes) {
    assert(code.some((text) => text.includes(quote)), quote);
  }
});

test("every link inside the repository leads somewhere", () => {
  const links = [...readme.matchAll(/\]\(([^)]+)\)/g)].map(([, link]) => link!);
  assert(links.length > 0);
  for (const link of links) {
    if (!link.startsWith("https:")) assert(existsSync(join(root, link)), link);
  }
});

test("the README is short", () => {
  const count = readme.split("\n").length;
  assert(count < 200, `${count} lines`);
});
