"""Tells the service manager how the gateway is (sd_notify(3)): ready, reloading, stopping, alive (OPS-4)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Mapping

ADDRESS, INTERVAL, PROCESS = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
"""Variables that systemd sets for a service of `Type=notify` with `WatchdogSec`."""


class Supervision:
    """One datagram for each state; without a service manager nothing happens."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        found = os.environ if environment is None else environment
        self._address = found.get(ADDRESS, "")
        if self._address.startswith("@"):  # an abstract socket
            self._address = "\0" + self._address[1:]
        mine = found.get(PROCESS, "") in ("", str(os.getpid()))
        microseconds = found.get(INTERVAL, "")
        self.interval = int(microseconds) / 2e6 if mine and microseconds.isdigit() else 0.0
        """Seconds between two signs of life, half of what the manager waits for; 0: it waits for none."""

    def ready(self) -> None:
        """Every door is open."""
        self._tell("READY=1", "STATUS=serving")

    def reloading(self) -> None:
        """Files are read again; `ready` follows. The manager of systemd 253 or later asks for the time."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """No door is open any more; what is under way comes to its end."""
        self._tell("STOPPING=1", "STATUS=finishing what is under way")

    async def run(self) -> None:
        """Give signs of life for ever: a loop that stands still gives none, and is started anew."""
        while self.interval:
            self._tell("WATCHDOG=1")
            await asyncio.sleep(self.interval)

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        # A manager that has gone is no reason to stop serving.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            out.sendto("\n".join(lines).encode(), self._address)
