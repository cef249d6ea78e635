"""A server that accepts everything and keeps nothing: what the load generator can do at most.

`python -m bench.sink PORT CERT KEY CA WORKERS` serves one connection per worker process at a time, with
the same TLS and the same demand for a client certificate as the servers under test.
"""

from __future__ import annotations

import os
import signal
import socket
import ssl
import sys

EHLO = b"250-sink\r\n250-PIPELINING\r\n250-SIZE\r\n250 STARTTLS\r\n"
ENVELOPE = b"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n"


def serve(plain: socket.socket, context: ssl.SSLContext) -> None:
    """One session until the client leaves."""
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    plain.sendall(b"220 sink ESMTP\r\n")
    plain.recv(4096)
    plain.sendall(EHLO)
    plain.recv(4096)
    plain.sendall(b"220 2.0.0 Ready to start TLS\r\n")
    with context.wrap_socket(plain, server_side=True) as peer:
        while data := peer.recv(16384):
            if data.startswith(b"MAIL"):
                peer.sendall(ENVELOPE)
                end = b""
                while not end.endswith(b"\r\n.\r\n"):
                    data = peer.recv(262144)
                    if not data:
                        return
                    end = (end + data)[-5:]
                peer.sendall(b"250 2.0.0 Ok\r\n")
            elif data.startswith(b"EHLO"):
                peer.sendall(EHLO)
            else:
                peer.sendall(b"221 2.0.0 Bye\r\n")
                return


def main(port: int, cert: str, key: str, ca: str, workers: int) -> None:
    """Listen, fork the workers and wait for them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(cert, key)
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", port), backlog=64)
    pids = []
    for _ in range(workers):
        pid = os.fork()
        if pid == 0:
            while True:
                plain, _address = listener.accept()
                try:
                    serve(plain, context)
                except OSError:
                    pass
                finally:
                    plain.close()
        pids.append(pid)

    def end(*_: object) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    for pid in pids:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
