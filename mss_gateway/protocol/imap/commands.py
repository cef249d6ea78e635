"""Every IMAP command that the grammar knows, parsed (RFC 9051 section 6, RFC 3501, and the extensions named).

Mailbox names are Unicode whatever the wire carried; the inbox is always `INBOX`. Flags are spelled
`\\Seen`; keywords as the client wrote them. Passwords and tokens never show in a repr (AUD-5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from mss_gateway.base.secret import Secret

from .commands_append import Append as Append
from .commands_append import Compress as Compress
from .commands_append import Replace as Replace
from .commands_comparator import ChooseComparator
from .commands_metadata import GetMetadata, SetMetadata
from .commands_notify import Notify
from .commands_resync import Unauthenticate
from .commands_rights import DeleteAcl, GetAcl, GetQuota, GetQuotaRoot, ListRights, MyRights, SetAcl
from .commands_search import CancelUpdate as CancelUpdate
from .commands_search import MultiSearch as MultiSearch
from .commands_search import Partial
from .commands_sort import Sort as Sort
from .commands_sort import Thread as Thread
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
    """The QRESYNC parameter of SELECT (RFC 7162 section 3.2.5). `matched` when sequence match data came along: the
    store remembers every expunge, so that they are not needed to answer."""

    uid_validity: int
    modseq: int
    known: SequenceSet | None = None
    matched: bool = False


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
    SPECIAL-USE; `status` the items of RETURN (STATUS (...)), `metadata` the entries of RETURN (METADATA (...)).
    `extended` is False for the plain form of RFC 3501; one empty pattern in the plain form asks for the hierarchy
    delimiter.
    """

    reference: str
    patterns: tuple[str, ...]
    selection: frozenset[str] = frozenset()
    returns: frozenset[str] = frozenset()
    status: tuple[str, ...] = ()
    extended: bool = False
    metadata: tuple[str, ...] = ()


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

    `returns` holds ALL, MIN, MAX, COUNT (RFC 4731), SAVE (RFC 5182), CONTEXT, UPDATE (RFC 5267), RELEVANCY
    (RFC 6203); `extended` asks for ESEARCH. `refusal` is the text and code of the NO that a search must get which
    the grammar could read but not take; it empties `$` all the same (RFC 5182 section 2.1).
    """

    key: SearchKey
    uid: bool = False
    returns: frozenset[str] = frozenset()
    extended: bool = False
    partial: Partial | None = None
    refusal: tuple[str, bytes] | None = None
    items: tuple[FetchItem, ...] = ()  # of UPDATE: sent of what comes in (RFC 5465 section 7)


@dataclass(frozen=True, slots=True)
class Fetch:
    """FETCH or UID FETCH (then UID is among the items). `changed_since` as in RFC 7162 section 3.1.4.

    `window` is PARTIAL (RFC 9394 section 3.3): places in the set named, both negative when counted from its end.
    """

    numbers: SequenceSet
    items: tuple[FetchItem, ...]
    uid: bool = False
    changed_since: int | None = None
    vanished: bool = False
    window: tuple[int, int] | None = None


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
    | Unauthenticate
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
    | Replace
    | Compress
    | Idle
    | Check
    | Close
    | Unselect
    | Expunge
    | Search
    | MultiSearch
    | CancelUpdate
    | Sort
    | Thread
    | Fetch
    | Store
    | Copy
    | Move
    | GetMetadata
    | SetMetadata
    | ChooseComparator
    | Notify
    | GetAcl
    | SetAcl
    | DeleteAcl
    | ListRights
    | MyRights
    | GetQuota
    | GetQuotaRoot
)
"""Any parsed command. What the grammar refuses is answered by the core and never reaches the door."""

STATUS_ITEMS = frozenset(
    {
        "MESSAGES",
        "UIDNEXT",
        "UIDVALIDITY",
        "UNSEEN",
        "DELETED",
        "DELETED-STORAGE",
        "SIZE",
        "HIGHESTMODSEQ",
        "RECENT",
        "APPENDLIMIT",
        "MAILBOXID",
    }
)
"""Items that STATUS and RETURN (STATUS) take."""
