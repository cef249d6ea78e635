"""Drives the IMAP core as a door would, and writes down what happened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mss_gateway.base.errors import ProtocolViolation
from mss_gateway.protocol.imap import (
    NEED_DATA,
    AppendAbandoned,
    AppendChunk,
    AppendEnd,
    AppendMessage,
    AppendUrl,
    AuthResponse,
    Ending,
    Event,
    IdleDone,
    ImapOptions,
    ImapServer,
    Request,
    State,
)
from mss_gateway.protocol.imap.commands import Append, Authenticate, Command, Idle, Replace, StartTls


@dataclass
class Log:
    """Commands with their tags, message octets, answers, and how the connection ended."""

    tags: list[bytes] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    heads: list[AppendMessage] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    out: bytes = b""
    violation: str | None = None
    most_held: int = field(default=0, compare=False)


def logged_in(options: ImapOptions | None = None, *, selected: bool = True, utf8: bool = False) -> ImapServer:
    """A core over TLS after LOGIN, with a mailbox open unless told otherwise."""
    core = ImapServer(options, tls=True)
    core.state = State.SELECTED if selected else State.AUTHENTICATED
    if utf8:
        core.enable_utf8()
    return core


def drive(core: ImapServer, reads: Iterable[bytes], *, accept: bool = True) -> Log:
    """Feed the reads one by one, answer every command OK, accept or refuse every APPEND."""
    log = Log()
    try:
        for data in reads:
            core.receive_data(data)
            log.most_held = max(log.most_held, core.buffered)
            while (event := core.next_event()) is not NEED_DATA:
                assert not isinstance(event, type(NEED_DATA))
                _react(core, event, log, accept)
    except ProtocolViolation as violation:
        log.violation = violation.reason
    log.out = core.data_to_send()
    return log


def _react(core: ImapServer, event: Event, log: Log, accept: bool) -> None:
    match event:
        case Request(tag, command):
            log.tags.append(tag)
            log.commands.append(command)
            _answer(core, command, log, accept)
        case AppendMessage():
            log.heads.append(event)
            log.messages.append(b"")
        case AppendChunk(data):
            log.messages[-1] += data
        case AppendUrl(url):
            log.messages[-1] += b"<%b>" % url
        case AppendEnd() | IdleDone():
            log.notes.append(type(event).__name__)
            core.tagged(Ending.OK, "done")
        case AppendAbandoned():
            log.notes.append("AppendAbandoned")
        case AuthResponse(data):
            log.notes.append(f"AuthResponse {data!r}")
            core.tagged(Ending.NO if data else Ending.BAD, "no")


def _answer(core: ImapServer, command: Command, log: Log, accept: bool) -> None:
    match command:
        case Append() | Replace() if accept:
            core.accept_literal()
        case Append() | Replace():
            core.refuse_literal(Ending.NO, "no such mailbox", b"TRYCREATE")
        case Idle():
            return
        case Authenticate(_, None):
            core.challenge()
        case StartTls():
            core.tagged(Ending.OK, "go ahead")
            core.tls_started()
        case _:
            core.tagged(Ending.OK, "done")
