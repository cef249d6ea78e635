"""Records that cross the ports: what is stored, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mss_gateway.mail.envelope import Recipient
from mss_gateway.rules.facts import BoxState, BoxType, ChannelState, IdentityStatus

INBOX = "INBOX"

TEXT_PART = 1
"""The number under which the text of a message is sealed (`ports.sealing`)."""


@dataclass(frozen=True, slots=True)
class SpoolFile:
    """A body too large for memory: `size` octets of `path` from `offset` on. The store may take the file.

    With a `key` the file holds nothing but the text, sealed with it as its part `TEXT_PART` (`ports.sealing`).
    """

    path: Path
    offset: int
    size: int
    key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class NewBody:
    """A message ready to be stored (RTE-7).

    `header` holds the trace headers, the header block and its empty line; `text` what follows, in
    memory or in a spool file; the message is their concatenation. `digest` is
    SHA-256(SHA-256(header) + SHA-256(text)). `envelope` and `bodystructure` are the IMAP texts of
    RFC 9051 section 7.5.2, computed once, sent as they are. `structure` is what the MIME scanner wrote down to find
    body parts again without parsing (`mail.structure`). `sent_at` is the Date header, epoch seconds.
    `references` are numbers of Message-IDs: its own, then those it answers, the nearest first
    (`mail.conversation`).
    """

    header: bytes
    text: bytes | SpoolFile
    size: int
    digest: bytes
    envelope: bytes
    bodystructure: bytes
    structure: bytes
    message_id: str | None = None
    subject_base: str = ""
    sent_at: float | None = None
    references: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Placement:
    """Put the body into a folder of a box: by name, created when absent.

    `seen_by` is the person who has read it in a box with several members; the others have not.
    """

    box_id: int
    folder: str = INBOX
    flags: frozenset[str] = frozenset()
    seen_by: int | None = None


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One recipient still to be reached in another operator's domain (QUE-1). `sender` "" is the null sender.

    What is `ordered` reaches its recipient in the order of the commits: an end mark must not overtake the message
    before it (CHN-9).
    """

    sender: str
    recipient: Recipient
    ret: str | None = None
    envid: str | None = None
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class ChannelChange:
    """Set one channel to a state; `cause` is a slug (`message`, `fin-subject`, `fin-header`, `auto-answer`, `ops`…).

    `name` is the professional's as the patient knows it. When the state really changes, what the patient's mailbox
    holds of the exchange gets or loses `$MSSClosed` in the same commit (CHN-10), and `trace` is written.
    """

    patient: str
    bal: str
    state: ChannelState
    cause: str
    name: str = ""
    trace: TraceLine | None = None


@dataclass(frozen=True, slots=True)
class ChannelGuard:
    """A channel as the decision saw it; the commit refuses when it has moved since (CHN-9)."""

    patient: str
    bal: str
    version: int


@dataclass(frozen=True, slots=True)
class TraceLine:
    """One line of the timeline (AUD-2). `at` is epoch seconds; `detail` holds no content, subject or whole INS."""

    at: float
    event: str
    transaction: str
    message_id: str | None = None
    box_id: int | None = None
    actor: str = ""
    detail: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A read receipt owed for one mailbox's copy of a message, until it is opened there (RCP-2).

    `notify` is where it goes, `recipient` the address written to, `orcpt` the original recipient as sent.
    """

    box_id: int
    notify: str
    recipient: str = ""
    orcpt: str | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A receipt whose message has been opened; `header` is that message's, `opened_at` epoch seconds (RCP-2)."""

    id: int
    box_id: int
    body_id: int
    notify: str
    recipient: str
    orcpt: str | None
    header: bytes
    opened_at: float


@dataclass(frozen=True, slots=True)
class Exchange:
    """The message belongs to the exchange of this patient with this BAL; keys of addresses (CHN-10, IMP-2)."""

    patient: str
    bal: str


@dataclass(frozen=True, slots=True)
class Part:
    """One message of a delivery with all the places it goes to."""

    body: NewBody
    received_at: float
    placements: tuple[Placement, ...] = ()
    outbox: tuple[OutboxEntry, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    alerts: tuple[int, ...] = ()  # patients' boxes whose owner is told outside (PAT-3)


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one outbox row under its lease: `sent` and `failed` end it, `waiting` puts it back (QUE-1).

    `next_attempt` is epoch seconds; `warned` tells that the delay report (RCP-1) is part of this commit;
    `uncertain` that the peer may have taken it although its answer was lost.
    """

    id: int
    lease: str
    state: str
    error: str = ""
    next_attempt: float = 0.0
    warned: bool = False
    uncertain: bool = False


@dataclass(frozen=True, slots=True)
class Answers:
    """A member of a shared box answers, in its name, messages with these Message-IDs (BAL-3)."""

    box_id: int
    person_id: int
    message_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """Everything that one `250` promises: committed as a whole or not at all (RTE-4).

    `answered` are receipts whose MDN is among the parts (RCP-2); `settled` outbox rows whose reports are.
    """

    parts: tuple[Part, ...]
    channels: tuple[ChannelChange, ...] = ()
    guards: tuple[ChannelGuard, ...] = ()
    trace: tuple[TraceLine, ...] = ()
    answered: tuple[int, ...] = ()
    settled: tuple[Settled, ...] = ()
    answers: Answers | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """Where one placement ended: the folder and the UID given."""

    box_id: int
    folder_id: int
    uid: int
    modseq: int


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel as stored. `changed_at` is epoch seconds; `version` grows with each change."""

    patient: str
    bal: str
    state: ChannelState
    version: int
    cause: str
    changed_at: float
    active_at: float = 0.0  # last traffic, epoch seconds, to the hour (CHN-8)
    name: str = ""


@dataclass(frozen=True, slots=True)
class Queued:
    """One outbox row as ops see it, epoch seconds and octets.

    `state` is `waiting`, `leased` (under way), `held` (by ops, `hold_reason` says why) or `uncertain` (waiting, and
    `uncertain` times a peer may have taken it). `behind` is the earlier row to the same patient that it waits for.
    """

    id: int
    body_id: int
    sender: str
    recipient: str
    domain: str
    state: str
    attempts: int
    queued_at: float
    next_attempt: float
    last_error: str
    uncertain: int = 0
    message_id: str | None = None
    size: int = 0
    last_attempt: float | None = None
    hold_reason: str = ""
    behind: int | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who logs in: a professional, a member, a patient. `password_hash` is argon2id or empty."""

    id: int
    login: str
    name: str
    national_id: str = ""
    password_hash: str = field(default="", repr=False)
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Membership:
    """One person's tie to one box: `holder` (PER, PAT), `member` (ORG, CAB) or `responsible`."""

    box_id: int
    person_id: int
    role: str


@dataclass(frozen=True, slots=True)
class NewBox:
    """What is written when a box is provisioned. `address` keeps the published spelling (BAL-10)."""

    address: str
    type: BoxType
    display: str = ""
    state: BoxState = BoxState.ACTIVE
    structure: str = ""
    responsible: str = ""
    patient_initiated: bool = False
    fin: str = "fin"
    password_login: bool = False
    auto_close: str = ""
    exchange_folder: bool = True
    server_mdn: bool = False
    alert_address: str = ""


@dataclass(frozen=True, slots=True)
class BoxChoices:
    """What may be changed of a box later; None leaves as it is (BAL-8 and 9, CHN-6 and 8, IMP-2, RCP-4, PAT-3)."""

    display: str | None = None
    patient_initiated: bool | None = None
    fin: str | None = None
    password_login: bool | None = None
    auto_close: str | None = None
    exchange_folder: bool | None = None
    server_mdn: bool | None = None
    alert_address: str | None = None
    quota_bytes: int | None = None
    quota_messages: int | None = None
    structure: str | None = None
    responsible: str | None = None


@dataclass(frozen=True, slots=True)
class BoxRow:
    """One box as stored, with what ops may see of it. A quota of 0 is the setting's default (BAL-9)."""

    id: int
    address: str
    type: BoxType
    state: BoxState
    display: str
    structure: str
    responsible: str
    patient_initiated: bool
    fin: str
    password_login: bool
    created_at: float
    state_reason: str
    state_at: float = 0.0  # since when it is in this state, epoch seconds
    auto_close: str = ""
    exchange_folder: bool = True
    server_mdn: bool = False
    alert_address: str = ""
    quota_bytes: int = 0
    quota_messages: int = 0


@dataclass(frozen=True, slots=True)
class Identity:
    """One patient identity of the registry with its five strict traits (INS-5, domain 14.3).

    `ins` is the matricule with its key, 15 characters in upper case, whole: no `repr` shows it or a name. `given` is
    the list of birth given names as one text, `sex` `M` or `F`, `born` `YYYY-MM-DD`, `place` the INSEE code of the
    place of birth, `oid` the assigning authority's. `updated_at` is epoch seconds, the store sets it.
    """

    ins: str = field(repr=False)
    oid: str
    family: str = field(repr=False)
    given: str = field(repr=False)
    sex: str = field(repr=False)
    born: str = field(repr=False)
    place: str = field(repr=False)
    status: IdentityStatus
    source: str = ""
    updated_at: float = 0.0
