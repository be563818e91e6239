// The article's client: it sends a message, receives the reply and prints it.
// While a server runs, start it with: npx tsx client.ts hey bruh

import { connect } from "node:net";
import process from "node:process";
import { decode, encode, fail, print, receive, toPort } from "./protocol.ts";

// If the environment variable HOST or PORT is set, it is used instead.
const target = process.env.HOST || "127.0.0.1";
const port = toPort(process.env.PORT || "9999"); // from text to a number

// argv begins with the paths of Node and of this script. The words come next.
const message = process.argv.slice(2).join(" ");
if (message === "") fail("usage: npx tsx client.ts <message>", 2);

// In a function, because tsx allows `await` outside of functions only where a
// package.json says "type": "module".
async function main() {
  const bytes = encode(message);
  const client = connect({ host: target, port }); // socket() and connect()
  client.end(bytes); // send(), and finish sending; the reply can still come
  const reply = decode(await receive(client));
  await print(reply);
}

// What the article leaves out: what becomes of an error.
main().catch((error: NodeJS.ErrnoException) => {
  if (error instanceof RangeError) fail(error.message); // It is too long.
  let why = error.message || error.code; // Some errors have only a code.
  if (error.code === "ECONNREFUSED") why += "; to start one: npx tsx server.ts";
  fail(`no valid reply from ('${target}', ${port}): ${why}`);
});
