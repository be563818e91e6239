// The article's server: it prints what each client says and replies "OKay got
// it", until a client says "close". Start it with: npx tsx server.ts

import { type AddressInfo, createServer } from "node:net";
import process from "node:process";
import { decode, encode, fail, print } from "./protocol.ts";
import { receive, stopReceiving, toPort } from "./protocol.ts";

// The environment variables HOST and PORT, where they are set, replace these.
const serverIP = process.env.HOST || "127.0.0.1";
const port = toPort(process.env.PORT || "9999"); // from text to a number

// socket(). Without allowHalfOpen, Node hangs up as soon as the client has
// finished sending, which is before our reply.
const server = createServer({ allowHalfOpen: true });

// bind() and listen(4). The article's 4 does not limit how many can connect,
// only how many can wait until they are accepted. When 24 clients came at once,
// 12 of them waited a second or longer with 4 (measured on Linux), and none
// with 511, Node's own default.
server.listen({ host: serverIP, port, backlog: 511 });

// The while loop and accept(): Node calls this function once for each client.
// While it waits at an `await`, the calls for other clients go on.
server.on("connection", async (commSocket) => {
  if (!commSocket.remoteAddress) return commSocket.destroy(); // already gone
  const addr = `('${commSocket.remoteAddress}', ${commSocket.remotePort})`;
  try {
    const message = decode(await receive(commSocket));
    await print(`${addr} ----- ${message}`);
    commSocket.end(encode("OKay got it")); // send(), and finish sending
    if (message === "close" && server.listening) { // false once it has closed
      server.close(); // Accept no new clients.
      await print(`disconnecting from ${addr}`);
      setTimeout(stopReceiving, 500).unref(); // unref: it delays no early end.
    }
  } catch (error) { // This client has failed. The server goes on.
    console.error(`${addr}: ${(error as Error).message}`);
    commSocket.destroy(); // Hang up, without a reply.
  }
});

// What the article leaves out. It goes to standard error (console.error), so
// that standard output has the article's lines and nothing else.
server.on("listening", () => {
  const bound = server.address() as AddressInfo; // the real port, if PORT is 0
  console.error(`listening on ('${bound.address}', ${bound.port})`);
});
server.on("error", (error) => {
  if (!server.listening) fail(error.message); // The server could not start.
  console.error(error.message); // One client could not be accepted.
});
process.stderr.on("error", () => {}); // If nobody reads it, just go on.
