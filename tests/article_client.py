"""The article's client. Lines that its listing has lost are marked "lost"."""
import os
import socket
import sys

target = "127.0.0.1"  # lost: the article shows ''
port = int(os.getenv("PORT", "9999"))
text = " ".join(sys.argv[1:]) or "hey bruh"

client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)

client.connect((target, port))
client.send(text.encode("utf-8"))  # lost
message = client.recv(1024).decode("utf-8")  # lost
print(message)  # lost
