// The least of servers, to show what a runtime by itself falls short of.

import { type AddressInfo, createServer } from "node:net";

const server = createServer((socket) => {
  socket.on("error", () => {});
  socket.on("data", () => socket.end("OKay got it"));
});

server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  console.error(`listening on 127.0.0.1:${port}`);
});
