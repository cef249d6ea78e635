"""What the outbound line takes from the outbox and gives back to it (QUE-1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mss_gateway.mail.envelope import Recipient


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to carry some rows until a moment; `token` is used once, times are epoch seconds.

    `node` names the gateway that holds it, so that one which starts again voids only its own (QUE-4).
    """

    token: str
    now: float
    until: float
    node: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """How many letters one claim may take: `total`, and of one domain `each`, unless `rooms` names it."""

    total: int
    each: int
    rooms: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClaimedRow:
    """One recipient of a claimed letter; `attempts` counts the one that begins now, times are epoch seconds.

    `warned` tells that the delay report was due before; `uncertain` how often a peer may have taken the message
    although its answer was lost.
    """

    id: int
    recipient: Recipient
    attempts: int
    queued_at: float
    warned: bool = False
    uncertain: int = 0
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class Claimed:
    """One stored message with those of its recipients in one domain that go in one transaction.

    `sender` "" is the null sender; `header` the stored header block with its empty line; `text_size` in octets.
    """

    lease: str
    body_id: int
    domain: str
    sender: str
    ret: str | None
    envid: str | None
    message_id: str | None
    header: bytes
    text_size: int
    rows: tuple[ClaimedRow, ...]


@dataclass(frozen=True, slots=True)
class Interrupted:
    """One recipient whose attempt ended with the process that made it: the peer may have taken the message."""

    message_id: str | None
    domain: str
    recipient: str
