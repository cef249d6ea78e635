"""A row of ports for the trust space of three operators."""

from __future__ import annotations

from mss_gateway.dev.configuration import NEIGHBOURS, OURS, PORTS, THEIRS

from .ports import free_row


def base_port() -> int:
    """A port from which on a row is free on 127.0.0.1, the first one on the operators' addresses too."""
    return free_row(PORTS, (OURS, THEIRS, NEIGHBOURS))
