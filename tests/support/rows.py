"""A row of ports for the trust space of three operators."""

from __future__ import annotations

import socket

from mss_gateway.dev.configuration import NEIGHBOURS, OURS, PORTS, THEIRS


def base_port() -> int:
    """A port from which on a row is free on 127.0.0.1, the first one on the operators' addresses too."""
    for base in range(31_000, 39_000, PORTS):
        places = [("127.0.0.1", base + offset) for offset in range(PORTS)]
        places += [(host, base) for host in (OURS, THEIRS, NEIGHBOURS)]
        held: list[socket.socket] = []
        try:
            for place in places:
                held.append(socket.create_server(place))
        except OSError:
            continue
        finally:
            for one in held:
                one.close()
        return base
    raise OSError("no free row of ports")
