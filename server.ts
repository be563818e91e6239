// The article's server: it prints what each client says and replies, until one
// says "close". Run it with: npx tsx server.ts

import { type AddressInfo, createServer } from "node:net";
import process from "node:process";
import { address, decode, encode, fail, receive, visible } from "./protocol.ts";

const [serverIP, port, at] = address("127.0.0.1", 9999, 0);

const server = createServer({ allowHalfOpen: true }, async (commSocket) => {
  const { remoteAddress = "gone", remotePort = 0 } = commSocket;
  const addr = `('${remoteAddress}', ${remotePort})`;
  commSocket.on("error", (error) => console.error(`${addr} ${error.message}`));
  try {
    const message = decode(await receive(commSocket));
    console.log(`${addr} ----- ${visible(message)}`);
    if (process.stdout.errored) return; // not printed: no reply
    commSocket.end(encode("OKay got it"));
    if (message === "close" && server.listening) {
      server.close();
      console.log(`disconnecting from ${addr}`);
      setTimeout(() => process.exit(), 500).unref();
    }
  } catch (error) {
    commSocket.destroy(error as Error);
  }
});

server.listen(port, serverIP, 511, () => {
  const { address, family, port } = server.address() as AddressInfo;
  const ip = family === "IPv6" ? `[${address}]` : address;
  console.error(`listening on ${ip}:${port}`);
});
server.on("error", (error) => fail(`${at}: ${error.message}`));
process.stdout.on("error", (error) => fail(`${at}: ${error.message}`));
