// The article's client. While the server runs, type in another terminal:
// npx tsx client.ts hey bruh

import { connect } from "node:net";
import { decode, encode, receive } from "./protocol.ts";

const { SERVER_IP, PORT } = process.env; // as in server.ts
const target = SERVER_IP || "127.0.0.1"; // default: this computer
const port = Number(PORT || 9999);

// tsx refuses `await` outside a function, unless a package.json allows it.
async function main() {
  const message = process.argv.slice(2).join(" "); // the words after client.ts
  if (!message) throw new Error("usage: npx tsx client.ts MESSAGE");
  const client = connect(port, target); // socket() and connect()
  // end() sends, and says that nothing more will come. We can still receive.
  client.end(encode(message));
  const reply = decode(await receive(client)); // recv(1024).decode()
  console.log(reply);
  client.destroy(); // close()
}

main().catch((err) => {
  console.error(err.message || err.code); // Some errors have only a code.
  process.exit(1);
});
