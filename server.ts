// The article's server. To start it, type in a terminal: npx tsx server.ts
// (npx fetches tsx. It runs TypeScript on Node.js, as python3 runs Python.)

import { type AddressInfo, createServer } from "node:net"; // Node's sockets
import { decode, encode, fail, print, receive } from "./protocol.ts";

const { SERVER_IP, PORT } = process.env; // SERVER_IP = os.getenv("SERVER_IP")
const serverIP = SERVER_IP || "127.0.0.1"; // default: this computer only
const port = Number(PORT || 9999); // int(PORT or 9999)

// Our client is done sending before we reply. Without allowHalfOpen, Node would
// close the connection at that moment, and the reply would be lost.
const server = createServer({ allowHalfOpen: true }); // socket()
server.listen(port, serverIP); // bind() and listen()

// Instead of a loop with accept(), Node calls this function for each client.
// `async`: each `await` waits for a result, while Node serves other clients.
server.on("connection", async (commSocket) => {
  const addr = `('${commSocket.remoteAddress}', ${commSocket.remotePort})`;
  if (!commSocket.remotePort) {
    commSocket.destroy(); // close(): the client has already left: no address
    return;
  }
  try {
    const message = decode(await receive(commSocket)); // recv(1024).decode()
    await print(`${addr} ----- ${message}`); // as in the article: before send()
    commSocket.write(encode("OKay got it")); // send()
    commSocket.destroySoon(); // close(), as soon as the reply is sent
    if (message === "close") {
      server.close(); // connection = False
      await print(`disconnecting from ${addr}`);
      // The others get 500 ms to finish. unref(): if none is left, end sooner.
      setTimeout(() => process.exit(), 500).unref();
    }
  } catch (err) {
    console.error(`${addr}: ${err}`); // print(), but to standard error
    commSocket.destroy(); // close(), without a reply
  }
});

server.on("error", fail); // For example, the port is taken: print it, and exit.
server.on("listening", () => {
  const { address, port } = server.address() as AddressInfo; // as: a type hint
  console.error(`listening on ('${address}', ${port})`);
});
// If nobody can read our standard error any more, carry on.
process.stderr.on("error", () => {});
