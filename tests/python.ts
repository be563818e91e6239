// The article's pair, by the same calls in Python: what it sends, and what it
// leaves open. They are called as the scripts are, and end with their input.

export const client = `
import os, socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect(("127.0.0.1", int(os.environ["PORT"])))
client.send(" ".join(sys.argv[1:]).encode("utf-8"))
print(client.recv(1024).decode("utf-8"))
`;

export const server = `
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(("127.0.0.1", 0))
server.listen(4)
print("listening on", server.getsockname(), file=sys.stderr, flush=True)
held = []
while True:
    comm_socc, addr = server.accept()
    held.append(comm_socc)
    message = comm_socc.recv(1024).decode("utf-8")
    print(addr, "-----", message, flush=True)
    comm_socc.send("OKay got it".encode("utf-8"))
    if message == "close":
        print("disconnecting from", addr, flush=True)
        break
sys.stdin.read()
`;
