// The article's client. While the server runs, type in another terminal:
// npx tsx client.ts hey bruh

import { connect } from "node:net"; // Node's sockets
import { decode, encode, receive } from "./protocol.ts";

const { SERVER_IP, PORT } = process.env; // from the environment, if set there
const target = SERVER_IP || "127.0.0.1"; // this computer
const port = Number(PORT || 9999);

// Without a package.json, tsx allows `await` only inside a function.
async function main() {
  const message = process.argv.slice(2).join(" "); // " ".join(sys.argv[1:])
  if (!message) throw new Error("usage: npx tsx client.ts MESSAGE");
  const client = connect(port, target); // socket() and connect()
  // send(), and say that nothing more will come. We can still receive.
  client.end(encode(message));
  const reply = decode(await receive(client)); // recv(1024).decode()
  console.log(reply); // print()
  client.destroy(); // close()
}

main().catch((err) => {
  console.error(err.message || err.code); // Some errors have only a code.
  process.exit(1);
});
