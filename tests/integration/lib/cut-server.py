#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""cut-server.py PORT UPSTREAM_PORT LIMIT [stall]: a loopback TCP proxy that passes LIMIT
bytes of answers of each connection, then cuts it, or with `stall` falls silent."""
import socket
import sys
import threading

port, upstream, limit = (int(a) for a in sys.argv[1:4])
stall = len(sys.argv) > 4


def pump(source, sink, left):
    try:
        while True:
            data = source.recv(65536)
            if not data:
                break
            if left is not None and len(data) > left:
                sink.sendall(data[:left])
                if stall:
                    threading.Event().wait()
                break
            if left is not None:
                left -= len(data)
            sink.sendall(data)
    except OSError:
        pass
    for s in (source, sink):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", port))
listener.listen(16)
while True:
    client, _ = listener.accept()
    server = socket.create_connection(("127.0.0.1", upstream))
    threading.Thread(target=pump, args=(client, server, None), daemon=True).start()
    threading.Thread(target=pump, args=(server, client, limit), daemon=True).start()
