// The article's server: it prints what each client says and replies, until one
// says "close". Start it with: npx tsx server.ts

import { type AddressInfo, createServer } from "node:net";
import process from "node:process";
import { address, decode, encode, fail, receive, visible } from "./protocol.ts";

// HOST and PORT in the environment change it; PORT=0 takes a free port.
const [serverIP, port, at] = address("127.0.0.1", 9999, 0);

// socket() and accept(): Node calls this once per client, and serves the others
// while it awaits one. Half open, a client that has ended its half is answered.
const server = createServer({ allowHalfOpen: true }, async (commSocket) => {
  const { remoteAddress = "gone", remotePort = 0 } = commSocket;
  const addr = `('${remoteAddress}', ${remotePort})`;
  commSocket.on("error", (error) => console.error(`${addr} ${error.message}`));
  try {
    const message = decode(await receive(commSocket));
    console.log(`${addr} ----- ${visible(message)}`);
    if (process.stdout.errored) return; // What is not printed gets no reply.
    commSocket.end(encode("OKay got it"));
    if (message === "close" && server.listening) {
      server.close();
      console.log(`disconnecting from ${addr}`);
      // Whoever is under way has 500 ms; where nobody is, it ends at once.
      setTimeout(() => process.exit(), 500).unref();
    }
  } catch (error) {
    commSocket.destroy(error as Error); // This connection ends, not the server.
  }
});

// bind() and listen(): Node's own queue of 511 clients. With the article's 4,
// some of two dozen that arrive at once are reset (measured on Linux).
server.listen(port, serverIP, 511, () => {
  const real = server.address() as AddressInfo;
  const ip = real.family === "IPv6" ? `[${real.address}]` : real.address;
  console.error(`listening on ${ip}:${real.port}`);
});
server.on("error", (error) => fail(`${at}: ${error.message}`));
process.stdout.on("error", (error) => fail(`${at}: ${error.message}`));
