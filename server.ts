// The article's server, line by line. Start it with: npx tsx server.ts

import { type AddressInfo, createServer } from "node:net";
import process from "node:process";
import { decode, encode, fail, print, receive } from "./protocol.ts";

const { SERVER_IP, PORT } = process.env; // environment variables, often unset
const serverIP = SERVER_IP || "127.0.0.1"; // default: this computer only
const port = Number(PORT || 9999);

// allowHalfOpen: when the client finishes sending, we can still send our reply.
const server = createServer({ allowHalfOpen: true }); // socket()
server.listen(port, serverIP); // bind(), listen()

// Node calls this function once for each client. `await` waits for a result,
// and meanwhile other clients get their turn. (Only async functions may await.)
server.on("connection", async (commSocket) => { // while connection: accept()
  if (!commSocket.remoteAddress) { // The client has already hung up.
    commSocket.destroy(); // close()
    return;
  }
  const addr = `('${commSocket.remoteAddress}', ${commSocket.remotePort})`;
  try {
    const message = decode(await receive(commSocket)); // recv(1024).decode()
    await print(`${addr} ----- ${message}`); // print(), and wait for it
    commSocket.end(encode("OKay got it")); // send(), and finish sending
    if (message === "close") {
      server.close(); // connection = False
      await print(`disconnecting from ${addr}`);
      // Clients get 500 ms to finish. unref(): if all finish sooner, exit then.
      setTimeout(() => process.exit(), 500).unref();
    }
  } catch (err) { // A bug in this script is raised again.
    if (err instanceof TypeError || err instanceof ReferenceError) throw err;
    console.error(`${addr}: ${err}`); // print() to standard error
    commSocket.destroy(); // close(), without a reply
  }
});

server.on("listening", () => { // Now it listens (PORT=0: on any free port).
  const { address, port } = server.address() as AddressInfo; // as: a type hint
  console.error(`listening on ('${address}', ${port})`); // to standard error
});
server.on("error", (err) => {
  if (!server.listening) fail(err); // Never started: end the program.
  console.error(err.message); // One client could not be accepted.
});
