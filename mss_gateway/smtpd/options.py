"""What an SMTP listener may be told; frozen, composed by `settings`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from mss_gateway.protocol.smtp import Limits


class Role(Enum):
    """Which side of the house a listener is."""

    MTA = "mta"  # other operators, mutual TLS (TRU-1)
    SUBMISSION = "submission"  # mail clients and hospital software (ACC-1)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a peer may be silent, in seconds (RFC 5321 section 4.5.3.2 asks for minutes).

    `session` bounds a whole connection and `transaction` one message from MAIL to the end of data,
    so that a peer which sends one octet a minute is not fed for ever.
    """

    handshake: float = 20.0
    command: float = 300.0
    data: float = 180.0
    write: float = 120.0
    transaction: float = 1800.0
    session: float = 86400.0


@dataclass(frozen=True, slots=True)
class SmtpOptions:
    """One SMTP door. `max_size` is the largest message in octets.

    A session ends with 421 at its `auth_failures`th wrong login, so that guessing costs a handshake each time,
    and past `refusals` senders and recipients refused, which is how a directory is harvested.
    """

    role: Role
    hostname: str
    implicit_tls: bool = False
    max_size: int = 35 * 1024 * 1024
    limits: Limits = field(default_factory=Limits)
    deadlines: Deadlines = field(default_factory=Deadlines)
    auth_failures: int = 5
    refusals: int = 200
