"""What IMAP needs of the store: folders, messages, flags, change sequences.

Everything is by folder id and UID; sequence numbers are the door's own business. Each call is one
hop to the store and one consistent snapshot. `Viewer` carries whose `\\Seen` is meant: in a shared
box each member has their own (BAL-3).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from mss_gateway.protocol.imap.searchkeys import SearchKey
from mss_gateway.protocol.imap.sorting import SortRow
from mss_gateway.protocol.imap.uidruns import Uids

from .access import Rights
from .annotations import Activity, Annotations
from .fetchlines import FetchLines
from .records import NewBody, TraceLine
from .textsearch import TextSearch


class FolderExists(Exception):
    """A folder of that name is already there."""


class NoSuchFolder(Exception):
    """The folder is not there, or no longer."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks: the person, and whether the box is shared (then `\\Seen` is the person's own)."""

    person_id: int
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder. `special_use` is an RFC 6154 attribute (`\\Sent`) or empty; `name` is Unicode, `/` separated."""

    id: int
    box_id: int
    name: str
    uid_validity: int
    special_use: str = ""


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """The counters of STATUS (RFC 9051 section 6.3.11). `size` is in octets."""

    messages: int
    unseen: int
    deleted: int
    uid_next: int
    uid_validity: int
    highest_modseq: int
    size: int


@dataclass(frozen=True, slots=True)
class Counters:
    """What a folder's own row says of it, without looking at messages."""

    messages: int
    uid_next: int
    uid_validity: int
    highest_modseq: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What SELECT starts from: all UIDs ascending, and the counters at that instant."""

    uids: Uids
    uid_next: int
    uid_validity: int
    highest_modseq: int
    first_unseen: int  # UID of the first message without \\Seen, 0 when none
    keywords: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FlagRow:
    """Flags of one message for one viewer; flags are spelled `\\Seen`, `$MDNSent`, …"""

    uid: int
    flags: frozenset[str]
    modseq: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened in a folder after a given mod-sequence, in one snapshot.

    `added` holds UIDs that appeared, `changed` flags of messages already known (added ones too),
    `vanished` UIDs that were expunged.
    """

    highest_modseq: int
    uid_next: int
    added: tuple[int, ...]
    changed: tuple[FlagRow, ...]
    vanished: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Touched:
    """UIDs, ascending, that changed or appeared and that were expunged after a mod-sequence (RFC 7162).

    Where it is forgotten when old expunges were, all of those are among `vanished` (section 5).
    """

    changed: array[int]
    vanished: Uids


class Want(Enum):
    """Columns of a message row that cost something to read."""

    ENVELOPE = "envelope"
    BODYSTRUCTURE = "bodystructure"
    HEADER = "header"  # the whole header block, trace headers included
    STRUCTURE = "structure"  # the scanner's part table
    DIGEST = "digest"  # SHA-256 of the message, of which EMAILID is made
    PREVIEW = "preview"  # what has been kept of PREVIEW, None when nobody has asked yet


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message for one viewer. Columns that were not wanted are None. Times are epoch seconds.

    `save_date` is when the message came into this folder (RFC 8514), None when that was not written down.
    `thread` is the number of its conversation in the box, `digest` what names its content
    (RFC 8474; `protocol.imap.objectids` writes both as IMAP does).
    """

    uid: int
    body_id: int
    flags: frozenset[str]
    modseq: int
    internal_date: float
    size: int
    header_size: int
    envelope: bytes | None = None
    bodystructure: bytes | None = None
    header: bytes | None = None
    structure: bytes | None = None
    digest: bytes | None = None
    preview: str | None = None
    save_date: float | None = None
    thread: int | None = None


class FlagChange(Enum):
    """The three forms of STORE."""

    REPLACE = "replace"
    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Stored:
    """Outcome of STORE: new flags of what changed or was named, and the UIDs that UNCHANGEDSINCE held back.

    `modseq` is that of this change alone, 0 when nothing changed: rows with another one were changed by others.
    """

    rows: tuple[FlagRow, ...]
    held_back: tuple[int, ...] = ()
    modseq: int = 0


@dataclass(frozen=True, slots=True)
class Copied:
    """Outcome of COPY and MOVE (RFC 4315): UID pairs in order."""

    uid_validity: int
    source_uids: tuple[int, ...]
    target_uids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NewAppend:
    """One message of APPEND. `once`: where the same message already lies, its UID is the answer (IMP-2)."""

    body: NewBody
    flags: frozenset[str]
    internal_date: float
    once: bool = False


class Mailboxes(Rights, Annotations, Activity, TextSearch, FetchLines, Protocol):
    """The role of the store that the IMAP door uses. Raises `NoSuchFolder` when a folder has gone."""

    async def folders(self, box_id: int) -> list[Folder]:
        """All folders of a box, INBOX first, then by name."""

    async def create_folder(
        self, box_id: int, name: str, special_use: str = "", trace: TraceLine | None = None
    ) -> Folder:
        """Make a folder and its missing parents, traced in the same commit when told so; raise `FolderExists`."""

    async def delete_folder(
        self, folder_id: int, viewer: Viewer | None = None, trace: TraceLine | None = None
    ) -> None:
        """Remove a folder with its messages; its UIDVALIDITY is never used again. `viewer` is who does it."""

    async def rename_folder(self, folder_id: int, name: str, trace: TraceLine | None = None) -> None:
        """Rename with all inferiors; INBOX moves its messages to a new folder (RFC 9051 section 6.3.6)."""

    async def status(self, folder_id: int, viewer: Viewer) -> FolderStatus:
        """The counters of one folder."""

    async def counters(self, folder_ids: Sequence[int]) -> dict[int, Counters]:
        """The cheap counters of folders by id; those that are not there are left out."""

    async def snapshot(self, folder_id: int, viewer: Viewer) -> Snapshot:
        """What SELECT needs, in one read."""

    async def changes(self, folder_id: int, viewer: Viewer, since: int) -> Changes:
        """All that happened after mod-sequence `since`."""

    async def touched(self, folder_id: int, viewer: Viewer, since: int) -> Touched:
        """Which messages changed or went after mod-sequence `since`: flat in memory for any distance.

        From before what is remembered, all that ever went count as gone after it.
        """

    async def flags_of(self, folder_id: int, viewer: Viewer, uids: Sequence[int]) -> list[FlagRow]:
        """Flags of the ascending UIDs that still exist: the cheapest of all reads."""

    async def marked_deleted(self, folder_id: int) -> list[int]:
        """UIDs marked `\\Deleted`, ascending."""

    async def rows(
        self, folder_id: int, viewer: Viewer, uids: Sequence[int], want: frozenset[Want]
    ) -> list[MessageRow]:
        """Rows of the UIDs that still exist, ascending."""

    def answers_search(self, key: SearchKey) -> bool:
        """Can `search_uids` answer this key without reading messages?"""

    async def search_uids(
        self, folder_id: int, viewer: Viewer, key: SearchKey, among: Sequence[int], *, span: bool
    ) -> list[int]:
        """UIDs ascending for which such a key holds: of `among`, or with `span` of all from its first to its last."""

    async def headers(self, folder_id: int, uids: Sequence[int]) -> list[tuple[int, bytes]]:
        """UID and header block of the messages that still exist, ascending."""

    async def sort_rows(self, folder_id: int, uids: Sequence[int], *, envelopes: bool) -> list[SortRow]:
        """What SORT and THREAD compare of the ascending UIDs that still exist, with their envelopes when told so."""

    async def read_text(self, body_id: int, offset: int, size: int) -> bytes:
        """Octets of the part after the header; shorter at the end. Callers read large bodies in pieces."""

    async def read_texts(self, body_ids: Sequence[int], limit: int) -> dict[int, bytes]:
        """Whole texts of those bodies whose text is at most `limit` octets, in one hop; without what is damaged."""

    async def keep_previews(self, previews: Mapping[int, str]) -> None:
        """Write down the first words of bodies by their id (RFC 8970)."""

    async def store_flags(
        self,
        folder_id: int,
        viewer: Viewer,
        uids: Sequence[int],
        change: FlagChange,
        flags: frozenset[str],
        unchanged_since: int | None = None,
    ) -> Stored:
        """STORE (RFC 9051 section 6.4.6, RFC 7162 section 3.1.3); durable when it returns."""

    async def expunge(self, folder_id: int, viewer: Viewer, uids: Iterable[int] | None) -> list[int]:
        """Remove messages marked `\\Deleted` (of `uids` when given); return the UIDs removed."""

    async def copy(self, folder_id: int, viewer: Viewer, uids: Sequence[int], target_id: int) -> Copied:
        """COPY: all or nothing, flags and internal date kept."""

    async def move(self, folder_id: int, viewer: Viewer, uids: Sequence[int], target_id: int) -> Copied:
        """MOVE (RFC 6851): all or nothing, in one transaction."""

    async def append(self, folder_id: int, viewer: Viewer, messages: Sequence[NewAppend]) -> list[int]:
        """APPEND one or several messages in one transaction; return their UIDs."""

    async def replace(
        self, folder_id: int, uid: int, target_id: int, viewer: Viewer, message: NewAppend
    ) -> int | None:
        """REPLACE (RFC 8508): a new message and the end of `uid` in one transaction; `viewer` looks at the target.

        Returns the new UID; None when `uid` has gone, and then nothing was stored.
        """
