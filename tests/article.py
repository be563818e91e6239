"""The article's server. Lines that its listing has lost are marked "lost"."""
import os
import socket
import sys

server_IP = "127.0.0.1"  # lost: the article shows ''
port = int(os.getenv("PORT", "9998"))  # 9999 in the article, but ours is there

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)

server.bind((server_IP, port))
server.listen(4)  # lost
print("listening on", server.getsockname(), file=sys.stderr)  # not the article's

connection = True
while connection:
    comm_socc, addr = server.accept()
    message = comm_socc.recv(1024).decode("utf-8")
    print(addr, "-----", message)
    comm_socc.send("OKay got it".encode("utf-8"))
    if message == "close":
        connection = False
        print("disconnecting from", addr)
