"""A server that does what the article's does, faults and all. To start it:

    python3 python_server.py

It listens on port 9998, since server.ts has 9999.
"""
import os
import socket
import sys

listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.bind(("127.0.0.1", int(os.getenv("PORT", "9998"))))
listener.listen(4)
print("listening on", listener.getsockname(), file=sys.stderr)

text = ""
while text != "close":
    peer, addr = listener.accept()
    text = peer.recv(1024).decode()
    print(f"{addr} ----- {text}", flush=True)
    peer.send(b"OKay got it")
print(f"disconnecting from {addr}")
