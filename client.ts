// The article's client. While the server runs, type in another terminal:
// npx tsx client.ts hey bruh

import { connect } from "node:net"; // Node's sockets
import { decode, encode, fail, print, receive } from "./protocol.ts";

const { SERVER_IP, PORT } = process.env; // SERVER_IP = os.getenv("SERVER_IP")
const target = SERVER_IP || "127.0.0.1"; // default: this computer
const port = Number(PORT || 9999); // int(PORT or 9999)

async function main() {
  const message = process.argv.slice(2).join(" "); // [node, file, *words]
  if (!message) throw new Error("usage: npx tsx client.ts MESSAGE"); // raise
  const client = connect(port, target); // socket() and connect()
  // end() sends the message and tells the server that nothing more will come.
  // We can still receive after that.
  client.end(encode(message)); // send()
  const reply = decode(await receive(client)); // recv(1024).decode()
  await print(reply);
  client.destroy(); // close()
}

main().catch(fail); // try: main() except Exception as err: fail(err)
