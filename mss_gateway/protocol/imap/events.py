"""What `ImapServer.next_event` gives, and the statuses that the door answers with."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from .commands import Command


class Ending(Enum):
    """The status of a tagged answer (RFC 9051 section 7.1)."""

    OK = b"OK"
    NO = b"NO"
    BAD = b"BAD"


class State(Enum):
    """The states of RFC 9051 section 3."""

    NOT_AUTHENTICATED = "not authenticated"
    AUTHENTICATED = "authenticated"
    SELECTED = "selected"
    LOGOUT = "logout"


class NeedData(Enum):
    """The sentinel type of `NEED_DATA`."""

    NEED_DATA = "need data"


NEED_DATA = NeedData.NEED_DATA
"""No event now: feed more bytes with `receive_data`, or finish the command in hand with `tagged`."""


@dataclass(frozen=True, slots=True)
class Request:
    """One well-formed command, allowed in the present state. Finish it with `tagged` before the next one comes."""

    tag: bytes
    command: Command


@dataclass(frozen=True, slots=True)
class AppendMessage:
    """The next message of an accepted APPEND or REPLACE begins; the one before it is whole.

    `internal_date` is in epoch seconds or None; `binary` when it comes as a literal8 (RFC 3516).
    """

    flags: frozenset[str]
    internal_date: float | None = None
    binary: bool = False


@dataclass(frozen=True, slots=True)
class AppendChunk:
    """Some octets of the message that an accepted APPEND carries."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class AppendUrl:
    """The octets behind this IMAP URL are the next ones of the message (CATENATE, RFC 4469)."""

    url: bytes


@dataclass(frozen=True, slots=True)
class AppendEnd:
    """All messages have come and the command line ended well: store, then `tagged`."""


@dataclass(frozen=True, slots=True)
class AppendAbandoned:
    """The command went wrong after its literal and has been answered BAD: drop what came, do not call `tagged`."""


@dataclass(frozen=True, slots=True)
class IdleDone:
    """The client ended IDLE: answer `tagged` OK, or BAD when the line was not DONE (`valid` False)."""

    valid: bool = True


@dataclass(frozen=True, slots=True)
class AuthResponse:
    """The decoded answer to `challenge`; None when the client gave up or sent no base64: answer `tagged` BAD."""

    data: bytes | None = field(repr=False)


Event = (
    Request | AppendMessage | AppendChunk | AppendUrl | AppendEnd | AppendAbandoned | IdleDone | AuthResponse
)
"""Any event."""
