"""Whether our own doors answer, each asked as a client would (OPS-2)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass

from .doctor import Check, Verdict

PATIENCE = 10.0
"""Seconds for one door."""

GREETINGS = {"smtp": b"220 ", "imap": b"* OK"}
"""How a door that works begins, by its protocol."""


@dataclass(frozen=True, slots=True)
class OpenDoor:
    """A listener that has been opened: `name` as in [listen], `speaks` `smtp` or `imap`, TLS from the start or not."""

    name: str
    host: str
    port: int
    speaks: str
    implicit_tls: bool

    @property
    def reached_at(self) -> str:
        """The address that a client on this machine takes; one that means all of them is none to connect to."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)

    def __str__(self) -> str:
        return f"{self.name} {self.host}:{self.port}"


class PortHealth:
    """Examines the doors that are open at that moment."""

    def __init__(self, doors: Sequence[OpenDoor]) -> None:
        self._doors = doors

    async def examine(self) -> Sequence[Check]:
        """All at once; those that answer are told together."""
        doors = tuple(self._doors)
        answers = await asyncio.gather(*(greeted(door) for door in doors))
        good = [str(door) for door, fault in zip(doors, answers, strict=True) if not fault]
        checks = (
            [Check("ports", Verdict.GOOD, f"{len(good)} doors answer: {', '.join(good)}")] if good else []
        )
        step = "the log says more (`tls-refused`, `…-fault`); is something else between, such as a firewall?"
        return [
            *checks,
            *(
                Check("ports", Verdict.BAD, f"{door}: {fault}", step)
                for door, fault in zip(doors, answers, strict=True)
                if fault
            ),
        ]


async def greeted(door: OpenDoor) -> str:
    """What is wrong with a door; empty when it greets as it must."""
    started = time.perf_counter()
    context = None
    if door.implicit_tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # whether the certificate is good is examined by itself
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(door.reached_at, door.port, ssl=context)
            try:
                line = await reader.readline()
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except TimeoutError:
        return f"no greeting after {time.perf_counter() - started:.0f} s"
    except OSError as error:
        return os.strerror(error.errno) if error.errno else type(error).__name__
    if not line.startswith(GREETINGS[door.speaks]):
        return (
            "the connection was closed without a greeting"
            if not line
            else "this is another program's greeting"
        )
    return ""
