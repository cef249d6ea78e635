"""A good session played back over bare sockets, spoilt at a chosen place; a courier that takes them for TLS."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from mss_gateway.relay.dialled import Dialled
from tests.support.relay import LOCAL

LINE, DOT = b"\r\n", b"\r\n.\r\n"


@dataclass(frozen=True)
class Step:
    """What the client says up to `until` (or `octets` of it), and the answer."""

    name: str
    answer: bytes
    until: bytes = LINE
    octets: int = 0


def steps(keywords: Sequence[str] = (), octets: int = 0) -> list[Step]:
    """A session with one letter to one recipient; by BDAT of `octets` when CHUNKING is among the keywords."""
    offered = "".join(f"250-{word}\r\n" for word in keywords).encode()
    tail = (
        [Step("BDAT", b""), Step("END", b"250 2.0.0 taken\r\n", octets=octets)]
        if "CHUNKING" in keywords
        else [Step("DATA", b"354 go\r\n"), Step("END", b"250 2.0.0 taken\r\n", DOT)]
    )
    return [
        Step("GREETING", b"220 mx.test\r\n", b""),
        Step("EHLO", b"250-mx.test\r\n250 STARTTLS\r\n"),
        Step("STARTTLS", b"220 go\r\n"),
        Step("EHLO2", b"250-mx.test\r\n" + offered + b"250 8BITMIME\r\n"),
        Step("MAIL", b"250 2.1.0 OK\r\n"),
        Step("RCPT", b"250 2.1.5 OK\r\n"),
        *tail,
    ]


@dataclass
class Player(asyncio.Protocol):
    """Plays steps to one client; leaves before octet `says` of its own, or after octet `hears` of the client.

    `whole` tells that the content has come with its end; `leave` is `close`, `reset`, or `half`: it goes on hearing.
    """

    steps: Sequence[Step]
    says: int = 1 << 30
    hears: int = 1 << 30
    leave: str = "close"
    whole: bool = False
    heard: int = 0
    said: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self._link = transport
        self._left = list(self.steps)
        self._held = b""
        self._mute = False
        self._play()

    def data_received(self, data: bytes) -> None:
        """Hear as much as it is allowed to."""
        if self._link.is_closing():
            return
        taken = data[: self.hears - self.heard]
        self.heard += len(taken)
        self._held += taken
        self._play()
        if self.heard >= self.hears and not self._mute:
            self._leave()

    def connection_lost(self, exc: Exception | None) -> None:
        """The session is over."""
        self.gone.set()

    def _play(self) -> None:
        while self._left and not self._link.is_closing():
            step = self._left[0]
            end = step.octets or self._held.find(step.until) + len(step.until)
            if (step.octets and len(self._held) < end) or step.until not in self._held:
                return
            self._held = self._held[end:]
            self.whole = self.whole or step.name == "END"
            del self._left[0]
            self._say(step.answer)

    def _say(self, octets: bytes) -> None:
        if self._mute:
            return
        said = octets[: self.says - self.said]
        self.said += len(said)
        self._link.write(said)
        if len(said) < len(octets):
            self._leave()

    def _leave(self) -> None:
        if self.leave == "reset":
            self._link.abort()
        elif self.leave == "half":
            self._mute = True
            self._link.write_eof()
        else:
            self._link.close()


@asynccontextmanager
async def played(players: Sequence[Player]) -> AsyncIterator[int]:
    """Play them to one client after the other; gives the port."""
    coming = iter(players)
    server = await asyncio.get_running_loop().create_server(lambda: next(coming), LOCAL, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def bare(patch: pytest.MonkeyPatch, der: bytes) -> None:
    """Let every connection pass for one under TLS whose peer has shown this certificate."""

    async def secure(self: Dialled, context: object, deadline: float) -> bytes:
        return der

    patch.setattr(Dialled, "secure", secure)


def descriptors() -> int:
    """How many this process has open that anybody still uses; what earlier tests have left is thrown away first."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


async def alone(seconds: float = 30.0) -> bool:
    """Whether no task runs besides this one, soon or at once."""
    limit = time.monotonic() + seconds
    while asyncio.all_tasks() != {asyncio.current_task()}:
        if time.monotonic() > limit:
            return False
        await asyncio.sleep(0.01)
    return True


async def given_back(before: int, seconds: float = 30.0) -> bool:
    """Whether no task runs besides this one and no more descriptors are open than before, soon or at once."""
    limit = time.monotonic() + seconds
    while not await alone(0.0) or descriptors() > before:
        if time.monotonic() > limit:
            return False
        await asyncio.sleep(0.01)
    return True
