// The article's client, line by line. While the server runs, start it with:
// npx tsx client.ts hey bruh

import { connect } from "node:net";
import process from "node:process";
import { decode, encode, fail, print, receive } from "./protocol.ts";

const { SERVER_IP, PORT } = process.env; // environment variables, often unset
const target = SERVER_IP || "127.0.0.1"; // default: this computer
const port = Number(PORT || 9999);

async function main() { // async, because it uses `await`
  const message = process.argv.slice(2).join(" "); // the words after client.ts
  if (!message) throw new Error("usage: npx tsx client.ts <message>");
  const bytes = encode(message);
  const client = connect(port, target); // socket(), connect() in background
  client.end(bytes); // once connected: send(), and finish sending
  const reply = decode(await receive(client)); // recv(1024).decode()
  await print(reply);
}

main().catch(fail); // try: main() except err: fail(err)
