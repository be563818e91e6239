// The article's client: it sends a message, receives the reply and prints it.
// Beside a running server: npx tsx client.ts hey bruh

import { connect } from "node:net";
import process from "node:process";
import { address, decode, encode, fail, receive, visible } from "./protocol.ts";

const [target, port, at] = address("127.0.0.1", 9999, 1);

async function main() {
  const message = process.argv.slice(2).join(" ");
  if (message === "") fail("usage: npx tsx client.ts <message>", 2);
  const bytes = encode(message);
  const client = connect(port, target);
  client.end(bytes); // The end of this half says that the message is over.
  const reply = decode(await receive(client));
  console.log(visible(reply));
  client.destroy(); // The article's server never ends its own half.
}

main().catch(({ code, message }) => {
  let why = message || code; // A name with two addresses has but a code.
  if (code === "ECONNREFUSED") why += "; start a server: npx tsx server.ts";
  fail(`${at}: ${why}`);
});
