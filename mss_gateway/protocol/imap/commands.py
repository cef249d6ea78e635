"""Every IMAP command that the grammar knows, parsed (RFC 9051 section 6, RFC 3501, and the extensions named).

Mailbox names are Unicode whatever the wire carried; the inbox is always `INBOX`. Flags are spelled
`\\Seen`; keywords as the client wrote them. Passwords and tokens never show in a repr (AUD-5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from mss_gateway.base.secret import Secret

from .fetchitems import FetchItem
from .searchkeys import SearchKey
from .sequence import SequenceSet


@dataclass(frozen=True, slots=True)
class Capability:
    """CAPABILITY."""


@dataclass(frozen=True, slots=True)
class Noop:
    """NOOP."""


@dataclass(frozen=True, slots=True)
class Logout:
    """LOGOUT."""


@dataclass(frozen=True, slots=True)
class StartTls:
    """STARTTLS."""


@dataclass(frozen=True, slots=True)
class Id:
    """ID (RFC 2971): what the client says of itself, at most 30 pairs; keys in lower case."""

    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Authenticate:
    """AUTHENTICATE, `mechanism` in upper case; `initial` is the decoded SASL-IR response (RFC 4959) or None."""

    mechanism: str
    initial: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Login:
    """LOGIN."""

    user: str
    password: Secret


@dataclass(frozen=True, slots=True)
class Enable:
    """ENABLE (RFC 5161): the names asked for, in upper case."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QResync:
    """The QRESYNC parameter of SELECT (RFC 7162 section 3.2.5)."""

    uid_validity: int
    modseq: int
    known: SequenceSet | None = None


@dataclass(frozen=True, slots=True)
class Select:
    """SELECT, or EXAMINE when `read_only`. `condstore` when the client asked for mod-sequences."""

    mailbox: str
    read_only: bool = False
    condstore: bool = False
    qresync: QResync | None = None


@dataclass(frozen=True, slots=True)
class Create:
    """CREATE; `special_use` is an RFC 6154 attribute such as `\\Sent`, or empty. A final `/` has been removed."""

    mailbox: str
    special_use: str = ""


@dataclass(frozen=True, slots=True)
class Delete:
    """DELETE."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class Rename:
    """RENAME."""

    mailbox: str
    new_name: str


@dataclass(frozen=True, slots=True)
class Subscribe:
    """SUBSCRIBE."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """UNSUBSCRIBE."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class List:
    """LIST with its extensions (RFC 5258, RFC 5819, RFC 6154).

    `selection` holds SUBSCRIBED, REMOTE, RECURSIVEMATCH, SPECIAL-USE; `returns` holds SUBSCRIBED, CHILDREN,
    SPECIAL-USE; `status` the items of RETURN (STATUS (...)). `extended` is False for the plain form of RFC 3501;
    one empty pattern in the plain form asks for the hierarchy delimiter.
    """

    reference: str
    patterns: tuple[str, ...]
    selection: frozenset[str] = frozenset()
    returns: frozenset[str] = frozenset()
    status: tuple[str, ...] = ()
    extended: bool = False


@dataclass(frozen=True, slots=True)
class Lsub:
    """LSUB (RFC 3501 section 6.3.9)."""

    reference: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Namespace:
    """NAMESPACE (RFC 2342)."""


@dataclass(frozen=True, slots=True)
class Status:
    """STATUS; `items` are among `STATUS_ITEMS`, without repetition, in the order asked."""

    mailbox: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Append:
    """APPEND up to the start of its literal: answer with `accept_literal` or `refuse_literal`.

    `size` is in octets; `internal_date` in epoch seconds or None; `utf8` for the `UTF8 (~{n})` form (RFC 6855),
    `binary` for any `~{n}` literal; `waiting` when the client waits for our go-ahead.
    """

    mailbox: str
    flags: frozenset[str]
    internal_date: float | None
    size: int
    utf8: bool = False
    binary: bool = False
    waiting: bool = True


@dataclass(frozen=True, slots=True)
class Idle:
    """IDLE (RFC 2177); the core has already sent its `+`."""


@dataclass(frozen=True, slots=True)
class Check:
    """CHECK (RFC 3501)."""


@dataclass(frozen=True, slots=True)
class Close:
    """CLOSE: expunge silently unless read-only, then leave the mailbox."""


@dataclass(frozen=True, slots=True)
class Unselect:
    """UNSELECT: leave the mailbox without expunging (RFC 3691)."""


@dataclass(frozen=True, slots=True)
class Expunge:
    """EXPUNGE, or UID EXPUNGE (RFC 4315) when `uids` is given."""

    uids: SequenceSet | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """SEARCH or UID SEARCH.

    `returns` holds ALL, MIN, MAX, COUNT, SAVE (RFC 4731, RFC 5182); `extended` asks for ESEARCH.
    """

    key: SearchKey
    uid: bool = False
    returns: frozenset[str] = frozenset()
    extended: bool = False


@dataclass(frozen=True, slots=True)
class Fetch:
    """FETCH or UID FETCH (then UID is among the items). `changed_since` as in RFC 7162 section 3.1.4."""

    numbers: SequenceSet
    items: tuple[FetchItem, ...]
    uid: bool = False
    changed_since: int | None = None
    vanished: bool = False


class StoreMode(Enum):
    """The three forms of STORE."""

    REPLACE = "replace"
    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Store:
    """STORE or UID STORE; `unchanged_since` as in RFC 7162 section 3.1.3."""

    numbers: SequenceSet
    mode: StoreMode
    flags: frozenset[str]
    uid: bool = False
    silent: bool = False
    unchanged_since: int | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """COPY or UID COPY."""

    numbers: SequenceSet
    mailbox: str
    uid: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """MOVE or UID MOVE (RFC 6851)."""

    numbers: SequenceSet
    mailbox: str
    uid: bool = False


Command = (
    Capability
    | Noop
    | Logout
    | StartTls
    | Id
    | Authenticate
    | Login
    | Enable
    | Select
    | Create
    | Delete
    | Rename
    | Subscribe
    | Unsubscribe
    | List
    | Lsub
    | Namespace
    | Status
    | Append
    | Idle
    | Check
    | Close
    | Unselect
    | Expunge
    | Search
    | Fetch
    | Store
    | Copy
    | Move
)
"""Any parsed command. What the grammar refuses is answered by the core and never reaches the door."""

STATUS_ITEMS = frozenset(
    {
        "MESSAGES",
        "UIDNEXT",
        "UIDVALIDITY",
        "UNSEEN",
        "DELETED",
        "SIZE",
        "HIGHESTMODSEQ",
        "RECENT",
        "APPENDLIMIT",
    }
)
"""Items that STATUS and RETURN (STATUS) take."""
