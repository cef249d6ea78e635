"""What a report that came in says, as values (RCP-5). Nothing that may hold an INS shows in a repr (AUD-5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class ReportKind(Enum):
    """What a report tells of the message it is about."""

    MDN = "mdn"
    """Displayed, deleted, dispatched: RFC 8098."""
    DSN = "dsn"
    """Delivered, delayed or failed: RFC 3464, or a bounce in prose."""
    PATIENT_CLOSED = "patient-closed"
    """The patient's mailbox is closed or absent (domain 13.3)."""
    INTEGRATION_ERROR = "integration-error"
    """The business software could not take the message in (domain 11)."""
    INTEGRATION_OK = "integration-ok"
    """The business software took the message in: an MDN that says `processed`."""


@dataclass(frozen=True, slots=True)
class ReportedRecipient:
    """One recipient that a report names.

    `address` is the final recipient (else the original one), `original` the address written to, empty when
    unsaid; both are as written, without their address type. `action` is in lower case (RFC 3464 section 2.3.3,
    empty in an MDN), `status` an RFC 3463 code or empty, `diagnostic` one line of at most 400 characters.
    """

    address: str = field(repr=False)
    action: str = ""
    status: str = ""
    diagnostic: str = field(default="", repr=False)
    original: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ReportedDisposition:
    """An RFC 8098 disposition in lower case: `mode` (`manual-action/mdn-sent-manually`), `type`, `modifier`.

    `modifier` is its first word (`error`); what follows it is read into `ReportReading.code` and `label`.
    """

    mode: str
    type: str
    modifier: str = ""


@dataclass(frozen=True, slots=True)
class ReportReading:
    """One report. `originals` are Message-IDs with their brackets, of the message or messages reported on.

    `code` and `label` belong to integration errors (domain 11.4; `label` is the sender's own words, else the
    table's), `closed_address` to PATIENT_CLOSED. Anything that was not said is empty, `disposition` None.
    """

    kind: ReportKind
    originals: tuple[str, ...] = ()
    recipients: tuple[ReportedRecipient, ...] = ()
    disposition: ReportedDisposition | None = None
    code: str = ""
    label: str = field(default="", repr=False)
    closed_address: str = field(default="", repr=False)
