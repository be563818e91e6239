"""A client that does what the article's does. To start it:

    python3 python_client.py hey bruh
"""
import os
import socket
import sys

connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
connection.connect(("127.0.0.1", int(os.getenv("PORT", "9999"))))
connection.send(" ".join(sys.argv[1:]).encode())
print(connection.recv(1024).decode())
