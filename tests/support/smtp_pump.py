"""What the skins of both SMTP cores share: octets are fed piece by piece until the core has had enough."""

from __future__ import annotations

from abc import abstractmethod
from typing import Generic, Protocol, Self, TypeVar


class Core(Protocol):
    """Either core."""

    def receive_data(self, data: bytes, /) -> None:
        """Octets of the peer."""

    def receive_eof(self) -> None:
        """The peer sends no more."""


C = TypeVar("C", bound=Core)


class Pump(Generic[C]):
    """One session of a core; `closed` once nothing more may be fed, `violation` is the reason if there was one."""

    def __init__(self, core: C) -> None:
        self.core = core
        self.sent = b""
        self.violation: str | None = None
        self.closed = False
        self.largest_buffer = 0

    @abstractmethod
    def _pump(self) -> None:
        """Take and answer events until the core wants more octets."""

    def feed(self, *pieces: bytes) -> Self:
        """Give the pieces one by one, pumping events dry after each."""
        for piece in pieces:
            if not self.closed:
                self.core.receive_data(piece)
                self._pump()
        return self

    def end(self) -> Self:
        """Say that the peer sends no more."""
        if not self.closed:
            self.core.receive_eof()
            self._pump()
        return self
