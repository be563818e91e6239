// The article's server. To start it, type in a terminal: npx tsx server.ts

import { type AddressInfo, createServer } from "node:net";
import { decode, encode, receive } from "./protocol.ts";

const { SERVER_IP, PORT } = process.env; // try: PORT=8888 npx tsx server.ts
const serverIP = SERVER_IP || "127.0.0.1"; // default: only this computer
const port = Number(PORT || 9999);

// Our client finishes sending, then waits for the reply. Without allowHalfOpen,
// Node would close the connection before we can send the reply.
const server = createServer({ allowHalfOpen: true }); // socket()
server.listen(port, serverIP); // bind() and listen()

// Instead of a loop with accept(), Node calls this function for each client.
// While one call waits for its client (`await`), Node serves the others.
server.on("connection", async (commSocket) => {
  const addr = `('${commSocket.remoteAddress}', ${commSocket.remotePort})`;
  try {
    const message = decode(await receive(commSocket)); // recv(1024).decode()
    console.log(addr, "-----", message);
    commSocket.write(encode("OKay got it")); // send()
    commSocket.destroySoon(); // close(), as soon as the reply is sent
    if (message === "close") {
      server.close(); // connection = False. Node ends when no client is left.
      console.log("disconnecting from", addr);
    }
  } catch (err) {
    // One bad client must not end the server.
    console.error(`${addr}: ${err}`);
    commSocket.destroy(); // close(), without a reply
  }
});

server.on("listening", () => {
  // console.error, so that `> log.txt` gets the article's lines and no more.
  const bound = server.address() as AddressInfo;
  console.error(`listening on ('${bound.address}', ${bound.port})`);
});

server.on("error", (err) => {
  console.error(err.message); // for example, that the port is taken
  process.exit(1);
});
