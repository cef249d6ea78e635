"""A skin that accepts everything, and readable transcripts, for the tests of the SMTP core."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

from mss_gateway.base.errors import ProtocolViolation
from mss_gateway.protocol.smtp import (
    CLOSED,
    NEED_DATA,
    Auth,
    AuthResponse,
    DataChunk,
    DataEnd,
    DataStart,
    Event,
    Hello,
    MailFrom,
    RcptTo,
    Reply,
    ServerConfig,
    SmtpServer,
    StartTls,
)

from .smtp_pump import Pump

WAITING = (Hello, StartTls, Auth, AuthResponse, MailFrom, RcptTo, DataStart, DataEnd)
OPEN = ServerConfig("mx.example.test", require_tls=False, max_size=100_000)
LOGIN = ServerConfig(
    "mx.example.test", tls_active=True, require_auth=True, auth_mechanisms=("PLAIN", "XOAUTH2")
)

Answer = Callable[[SmtpServer, Event], None]


def yes(core: SmtpServer, event: Event) -> None:
    """Accept whatever waits; a first AUTH without response gets an empty challenge."""
    if isinstance(event, Auth) and event.initial is None:
        core.challenge(b"")
    else:
        core.accept()


class Run(Pump[SmtpServer]):
    """What one feed of bytes gave: events with content joined, replies, and the violation's reason."""

    def __init__(self, config: ServerConfig = OPEN, answer: Answer = yes) -> None:
        super().__init__(SmtpServer(config))
        self.answer = answer
        self.events: list[object] = []

    def _pump(self) -> None:
        while True:
            try:
                event = self.core.next_event()
            except ProtocolViolation as violation:
                self.violation = violation.reason
                self.closed = True
                break
            if event is NEED_DATA or event is CLOSED:
                self.closed = event is CLOSED
                break
            assert not isinstance(event, type(NEED_DATA))
            self._note(event)
            if isinstance(event, WAITING):
                self.answer(self.core, event)
        self.sent += self.core.data_to_send()
        self.largest_buffer = max(self.largest_buffer, self.core.buffered)

    def _note(self, event: Event) -> None:
        if isinstance(event, DataChunk) and self.events and isinstance(self.events[-1], bytes):
            self.events[-1] += event.data
        else:
            self.events.append(event.data if isinstance(event, DataChunk) else event)

    def outcome(self) -> tuple[list[object], bytes, str | None, bool]:
        """Return what must not depend on cutting: content counts only when the message is whole."""
        kept = [
            event
            for index, event in enumerate(self.events)
            if not isinstance(event, bytes) or isinstance(self.after(index), DataEnd)
        ]
        return kept, self.sent, self.violation, self.closed

    def after(self, index: int) -> object:
        """Return the event behind the one at `index`, None at the end."""
        return self.events[index + 1] if index + 1 < len(self.events) else None

    @property
    def codes(self) -> list[str]:
        """The first ten characters of each reply line: code and enhanced status."""
        return [line[:9].strip() for line in self.sent.decode("ascii").split("\r\n") if line]


def run(data: bytes, config: ServerConfig = OPEN, answer: Answer = yes) -> Run:
    """Feed `data` at once, then the end of the stream."""
    return Run(config, answer).feed(data).end()


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """Cut `data` at the given places."""
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:stop] for start, stop in pairwise(edges)]


def refusing(kind: type, reply: Reply) -> Answer:
    """Return an answer that refuses events of one kind and accepts the rest."""

    def answer(core: SmtpServer, event: Event) -> None:
        if isinstance(event, kind):
            core.reply(reply)
        else:
            yes(core, event)

    return answer


def play(script: str, config: ServerConfig, answer: Answer = yes) -> None:
    """Play a transcript: `C:` lines are sent, `S:` lines must be what came back since, trailing space aside."""
    session = Run(config, answer)
    session.core.greet()
    session.feed(b"")
    at = 0
    for raw in script.strip().splitlines():
        side, _, text = raw.strip().partition(" ")
        if side == "C:":
            assert session.sent[at:] == b"", f"unexpected {session.sent[at:]!r} before {raw!r}"
            session.feed(text.encode() + b"\r\n")
        else:
            line, found, _ = session.sent[at:].partition(b"\r\n")
            assert found, f"no answer where {raw!r} was expected"
            assert line.decode("ascii").rstrip() == text
            at += len(line) + 2
    assert session.sent[at:] == b""
