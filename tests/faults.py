"""An awkward client, which shows the faults of python_server.py. To start it:

    python3 faults.py pieces    (or silent, or bad)

It speaks to server.ts on port 9999, then to python_server.py on port 9998.
"""
import socket
import sys
import time

pieces = {"pieces": [b"hey ", b"bruh"], "silent": [b"hey bruh"], "bad": [b"\xff"]}

for port in sys.argv[2:] or [9999, 9998]:
    try:
        if sys.argv[1] == "silent":  # a client that connects and says nothing
            silent = socket.create_connection(("127.0.0.1", port))
        client = socket.create_connection(("127.0.0.1", port), timeout=2)
        for piece in pieces[sys.argv[1]]:
            client.send(piece)
            time.sleep(0.2)
        client.shutdown(socket.SHUT_WR)  # finish sending
        print(port, client.recv(1024).decode() or "no reply")
    except OSError as err:
        print(port, "no reply:", err)
