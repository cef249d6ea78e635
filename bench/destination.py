"""The destinations of a relay as the bench sees them: the sink's processes, and what arrived there."""

from __future__ import annotations

import socket
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.foreign import Daemon, listens

from .senders import World

WORKERS = 2


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message that the sink has taken: when its 250 was written, over which connection, at which port."""

    at: float
    connection: str
    port: int


@dataclass(slots=True)
class Ending:
    """How a connection ended: when, whether the client spoke again after the last 250, whether by a reset."""

    at: float
    gone_on: bool
    reset: bool


@dataclass(slots=True)
class Record:
    """All that was noted so far. `arrivals` by message id, in order."""

    arrivals: dict[str, list[Arrival]] = field(default_factory=lambda: defaultdict(list))
    endings: dict[str, Ending] = field(default_factory=dict)
    ciphers: set[str] = field(default_factory=set)
    connections: int = 0
    messages: int = 0

    def add(self, line: str) -> None:
        """One line of a worker."""
        kind, at, connection, port, text = line.split(" ", 4)
        if kind == "m":
            self.arrivals[text].append(Arrival(float(at), connection, int(port)))
            self.messages += 1
        elif kind == "x":
            self.endings[connection] = Ending(float(at), *(flag == "1" for flag in text.split()))
        else:
            self.connections += 1
            self.ciphers.add(text)


class Destination(Daemon):
    """The sink on these ports, with the certificate of the sample operator."""

    def __init__(self, folder: Path, world: World, ports: Sequence[int], workers: int = WORKERS) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._port = ports[0]
        self._read: dict[Path, tuple[int, bytes]] = {}
        self.record = Record()
        files = (world.space.operator.cert, world.space.operator.key, world.space.ca)
        command = [sys.executable, "-m", "bench.relay_sink", str(folder), *files, str(workers)]
        super().__init__("sink", [*command, *map(str, ports)], folder / "sink.log")

    def run(self) -> None:
        """Start and wait until it listens."""
        self.start(lambda: listens(self._port))

    def look(self) -> Record:
        """Read what was noted since the last look."""
        for path in self._folder.glob("worker-*.log"):
            offset, rest = self._read.get(path, (0, b""))
            with path.open("rb") as file:
                file.seek(offset)
                data = rest + file.read()
                offset = file.tell()
            *lines, rest = data.split(b"\n")
            self._read[path] = offset, rest
            for line in lines:
                self.record.add(line.decode())
        return self.record


class BlackHoles:
    """Ports that never speak. Half take connections without a word, half do not even do that: their backlog is full."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._sockets: list[socket.socket] = []
        for number, port in enumerate(ports):
            full = number % 2 == 1
            listener = socket.create_server(("127.0.0.1", port), backlog=0 if full else 128)
            self._sockets.append(listener)
            if full:
                self._fill(port)

    def _fill(self, port: int) -> None:
        """Connect until the kernel drops what comes."""
        for _ in range(8):
            one = socket.socket()
            self._sockets.append(one)
            one.settimeout(0.3)
            try:
                one.connect(("127.0.0.1", port))
            except TimeoutError:
                return
        raise OSError("the backlog of a black hole does not fill")

    def close(self) -> None:
        """Give the ports back."""
        for one in self._sockets:
            one.close()
