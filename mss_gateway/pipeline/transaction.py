"""One mail transaction under way: who, from where, to whom. Filled by the door, read by the line."""

from __future__ import annotations

from dataclasses import dataclass, field

from mss_gateway.mail.envelope import Envelope, Recipient
from mss_gateway.rules.facts import Caller, Facts, Party
from mss_gateway.rules.senders import PATIENT_PLACES


@dataclass(frozen=True, slots=True)
class PeerSession:
    """What the door knows of the connection; goes into `Received` (RTE-7)."""

    host: str
    helo: str
    protocol: str  # RFC 3848 keyword: ESMTPS, ESMTPSA, UTF8SMTPSA…
    tls_version: str = ""
    tls_cipher: str = ""


@dataclass(slots=True)
class Transaction:
    """The envelope as accepted so far, with the parties it names."""

    id: str
    caller: Caller
    session: PeerSession
    envelope: Envelope
    sender: Party | None
    recipients: list[tuple[Recipient, Party]] = field(default_factory=list)
    refused: Facts | None = None  # what the last refusal was decided on

    def patients(self) -> int:
        """How many of the accepted recipients are patients."""
        return sum(party.place in PATIENT_PLACES for _, party in self.recipients)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What stands behind a `250`: the transaction id that traces and logs carry."""

    id: str
    placed: int
    queued: int
