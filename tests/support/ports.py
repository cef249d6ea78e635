"""Ports of loopback that stay free until the program that was told of them listens there.

A port that the system hands out (`bind` to 0) may be the next one that it hands to somebody else, for a connection
or another listener, as soon as it is closed. So these lie below the range from which it chooses, in a block that
belongs to this process alone while it lives: test runs that go on beside each other never meet.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from pathlib import Path

HOST = "127.0.0.1"
LOWEST = 21_000
"""Above those of the sample trust space, on which nobody listens."""
BLOCK = 400
"""Ports of one process."""

_held: list[socket.socket] = []
_block: range = range(0)
_next = 0


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 on which nobody listens and that nobody is given meanwhile."""
    ports: list[int] = []
    for _ in range(len(_own())):
        port = _step(1)
        if _is_free((HOST,), port):
            ports.append(port)
        if len(ports) == count:
            return ports
    raise OSError("no free ports")


def free_row(count: int, hosts: Iterable[str] = ()) -> int:
    """The first of so many free ports in a row on 127.0.0.1, itself free on these other addresses as well."""
    for _ in range(len(_own())):
        first = _step(count)
        row = range(first, first + count)
        if all(_is_free((HOST,), port) for port in row) and _is_free(hosts, first):
            return first
    raise OSError("no free row of ports")


def _own() -> range:
    """The block of this process; its name is taken for as long as the process lives."""
    global _block
    if not _block:
        low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
        for first in range(low - BLOCK, LOWEST, -BLOCK):
            name = socket.socket(socket.AF_UNIX)
            try:
                name.bind(f"\0ports of mss-gateway's tests from {first}")
            except OSError:
                name.close()
                continue
            _held.append(name)
            _block = range(first, first + BLOCK)
            break
        else:
            raise OSError("all blocks of ports are taken")
    return _block


def _step(count: int) -> int:
    """The next ports in turn, so that one comes again only after all the others; the first of them."""
    global _next
    if _next + count > len(_own()):
        _next = 0
    _next += count
    return _own()[_next - count]


def _is_free(hosts: Iterable[str], port: int) -> bool:
    try:
        for host in hosts:
            socket.create_server((host, port)).close()
    except OSError:
        return False
    return True
