// The article's server: it prints what each client says and replies "OKay got
// it", until a client says "close". Start it with: npx tsx server.ts

import { type AddressInfo, createServer } from "node:net";
import process from "node:process";
import { decode, encode, fail, print } from "./protocol.ts";
import { receive, stopReceiving, toPort } from "./protocol.ts";

// If the environment variable HOST or PORT is set, it is used instead.
const serverIP = process.env.HOST || "127.0.0.1";
const port = toPort(process.env.PORT || "9999"); // from text to a number

// socket(). allowHalfOpen lets us reply after the client has finished sending.
// Without it, Node would hang up at that moment.
const server = createServer({ allowHalfOpen: true });

// bind() and listen(4). The article's 4 does not limit how many can connect,
// only how many can wait until they are accepted. When 24 clients came at once,
// half of them waited a second or longer (measured on Linux). With 511, which
// is Node's default anyway, none did.
server.listen({ host: serverIP, port, backlog: 511 });

// The while loop and accept(): Node calls this function once for each client.
// An `await` pauses this one call. Meanwhile, Node runs those of other clients.
server.on("connection", async (commSocket) => {
  if (!commSocket.remoteAddress) return commSocket.destroy(); // It has left.
  const addr = `('${commSocket.remoteAddress}', ${commSocket.remotePort})`;
  try {
    const message = decode(await receive(commSocket));
    await print(`${addr} ----- ${message}`);
    commSocket.end(encode("OKay got it")); // send(), and finish sending
    if (message === "close" && server.listening) { // only the first "close"
      server.close(); // Accept no new clients.
      await print(`disconnecting from ${addr}`);
      // In 500 ms, drop slow clients. unref(): if there are none, do not wait.
      setTimeout(stopReceiving, 500).unref();
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
process.stderr.on("error", () => {}); // Go on, even if nobody reads that.
