"""Everything a rule may know, gathered beforehand: frozen, complete, with the time as an argument."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from mss_gateway.mail.address import Address


class BoxType(Enum):
    """Types of mailbox: TRE_R257 with CAB (BAL-1), and the patient's own."""

    PER = "PER"
    ORG = "ORG"
    APP = "APP"
    CAB = "CAB"
    PAT = "PAT"


class BoxState(Enum):
    """Life of a mailbox (BAL-5, PAT-1); NOT_ACTIVATED exists for patients only."""

    ACTIVE = "active"
    NOT_ACTIVATED = "not_activated"
    SUSPENDED = "suspended"
    CLOSED = "closed"
    PURGED = "purged"  # closed for good: its mail is gone, its address is not given again


class Place(Enum):
    """Where an address lives, seen from this gateway (RTE-1..3)."""

    HOSTED = "hosted"  # a domain of ours for professionals
    PATIENT_HOSTED = "patient-hosted"  # the patient domain, and we are its operator
    PATIENT_REMOTE = "patient-remote"  # the patient domain, run by another operator
    TRUSTED = "trusted"  # a domain of the trusted list, run by another operator
    OUTSIDE = "outside"  # anything else


class Realm(Enum):
    """Which INS numbers are real here (INS-2)."""

    PRODUCTION = "production"
    TEST = "test"
    DEMO = "demo"


class CallerKind(Enum):
    """Who speaks to us over SMTP."""

    OPERATOR = "operator"  # another operator, by its certificate
    PERSON = "person"  # a professional, by login
    APPLICATION = "application"  # an APP box, by its certificate (or login where allowed)
    PATIENT = "patient"  # a patient, by login
    GATEWAY = "gateway"  # this gateway itself: reports, notices


class ChannelState(Enum):
    """State of the right of one patient to answer one BAL (CHN)."""

    NEVER = "never"
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class House:
    """The deployment's own choices that rules depend on; defaults as in the rule book."""

    realm: Realm = Realm.PRODUCTION
    patient_domain: str = "patient.mssante.fr"
    patient_service_locals: frozenset[str] = frozenset({"reponse.automatique-test"})  # INS-3
    remote_patient_on_closed: str = "refuse"  # CHN-6: refuse | accept
    remote_patient_on_never: str = "accept"  # CHN-6: refuse | accept
    patient_closed: str = "bounce"  # PAT-2: bounce | reject
    check_header_from: bool = True  # BAL-7
    max_received: int = 30  # RTE-6, Received lines
    purge_after_days: int = 180  # BAL-5, days from the closure on
    require_qualified: str = "off"  # INS-5: off | warn | enforce
    archive_gate: str = "enforce"  # INS-6: off | warn | enforce
    patient_initiated: frozenset[str] = (
        frozenset()
    )  # CHN-6: keys of BALs elsewhere that patients may write to first
    near_miss_notice: bool = True  # CHN-5
    patient_size: int = 25 * 1024 * 1024  # PAT-5, octets of the whole message
    patient_attachments: frozenset[str] = frozenset(
        {"pdf", "jpeg", "png", "tiff", "txt", "rtf", "doc", "ihe_xdm"}
    )  # PAT-5, kinds of `rules.attachments.KINDS`


@dataclass(frozen=True, slots=True)
class Delegated:
    """A caller may write from the mailbox of this address key without opening it, from `begins` until `ends` (BAL-6).

    Epoch seconds; `ends` itself is too late.
    """

    key: str
    begins: float
    ends: float


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated party. Nothing in it ever comes from the message (BAL-6).

    `identity` is the stable key (DN key, person id, box key), `name` what a log may show,
    `auth` how it proved itself (`mtls`, `plain`, `external`, `internal`), `boxes` the address keys
    it may write from, `domains` those whose listed DNs include its certificate (OPERATOR only). `delegated` are
    mailboxes that it may write from in the name of others, `own` the address of its main box, which `Sender` then
    names.
    """

    kind: CallerKind
    identity: str
    name: str
    auth: str
    boxes: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    delegated: tuple[Delegated, ...] = ()
    own: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """One mailbox as the rules see it. `fin` is the BAL-8 choice: `fin`, `leave` or `reply-to=ADDRESS`.

    `auto_close` is the CHN-8 choice: empty, `answer`, `send` or `days=N`. `alert` tells that its owner is told
    of new messages outside (PAT-3), `limited` that it may be full (BAL-9).
    """

    id: int
    address: Address
    type: BoxType
    state: BoxState
    display: str = ""
    patient_initiated: bool = False
    fin: str = "fin"
    auto_close: str = ""
    exchange_folder: bool = True
    server_mdn: bool = False
    alert: bool = False
    limited: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """What the national directory says of a mailbox; no rule decides on it, people are shown it (BAL-1).

    `name` is the holder's or empty, `source` says where and when this was read, such as `annuaire 2026-11-20`.
    """

    type: BoxType
    name: str
    structure: str
    source: str


@dataclass(frozen=True, slots=True)
class Party:
    """One address with what is known of it; `box` is None when it is not provisioned here.

    `listed` is the national directory's word on a sender elsewhere, None when it has none or was not asked.
    """

    address: Address
    place: Place
    box: Box | None = None
    listed: Listed | None = None


class IdentityStatus(Enum):
    """How far an identity of the registry has been checked (INS-5, RNIV)."""

    PROV = "PROV"
    RECUP = "RECUP"
    VALI = "VALI"
    QUAL = "QUAL"


@dataclass(frozen=True, slots=True)
class Attachment:
    """One leaf part that is no body text: its media type in lower case and its file name, decoded (PAT-5)."""

    media_type: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class ArchiveFacts:
    """What one IHE_XDM archive says of its patient (INS-6); INS in upper case, as written (13 or 15 characters).

    `problem` is empty, or the slug (`xdm-…`) of why the archive cannot be read safely or contradicts itself.
    `metadata` holds every patient of METADATA.XML, `cda` every patient of a CDA's recordTarget; `unnamed` tells
    that one of the documents names no patient by INS in one of the two places.
    """

    problem: str = ""
    metadata: frozenset[str] = frozenset()
    cda: frozenset[str] = frozenset()
    unnamed: bool = False


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """What the rules read in the header of a message; decoded, never the body.

    Each address field is a tuple of what parsed; `from_valid` is False when From is absent, repeated
    or malformed. `reply_to_trusted` tells that every Reply-To address is inside MSSanté.
    """

    from_: tuple[Address, ...] = ()
    from_valid: bool = True
    from_local: bool = False  # an author of From is hosted here
    from_listed: frozenset[str] = frozenset()  # domains of From that are other operators' on the trusted list
    sender: Address | None = None
    sender_present: bool = False  # readable or not
    reply_to: tuple[Address, ...] = ()
    reply_to_present: bool = False
    reply_to_trusted: bool = True
    subject: str = ""
    mss_mes: str | None = None
    message_id: str | None = None
    received_count: int = 0
    auto_submitted: bool = False
    auto_generated: bool = False  # Auto-Submitted says that no other message caused this one
    report: str | None = None  # delivery-status | disposition-notification when multipart/report
    disposition_to: str | None = None
    from_name: str = ""  # the display name of From, decoded
    reply_to_unfit: bool = False  # a Reply-To hosted here that is no open PER, ORG or CAB mailbox (BAL-8)
    size: int = 0  # octets
    attachments: tuple[Attachment, ...] = ()  # read for patients only (PAT-5)
    archives: tuple[ArchiveFacts, ...] = ()  # read for patients only (INS-6)
    repeated: tuple[str, ...] = ()  # fields given twice that must be single: readers disagree on which counts


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """State and version of one channel; the version lets the commit notice a stale decision (CHN-9)."""

    state: ChannelState = ChannelState.NEVER
    version: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """All that one decision needs. `sender` None is the null sender.

    The same record serves three moments: MAIL FROM (`recipient` and `message` None), RCPT TO
    (`message` None) and end of data (all there, once for each accepted recipient).
    `now` is in seconds since the epoch.
    """

    now: float
    house: House
    caller: Caller
    sender: Party | None
    recipient: Party | None = None
    message: MessageFacts | None = None
    channel: ChannelFacts = field(default_factory=ChannelFacts)
    identity: IdentityStatus | None = (
        None  # of the patient written to, None when the registry has none (INS-5)
    )
    patients: int = 0  # patients among the accepted recipients of the message (INS-6)
    full: bool = False  # at RCPT TO: the recipient's box holds all that it may (BAL-9)
