"""FETCH lines written by SQLite are those that are written row by row; SELECT's shortcuts read what is there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.imapd.fetchpieces import PIECES
from mss_gateway.ports.mailboxes import MessageRow, NoSuchFolder, Viewer, Want
from mss_gateway.protocol.imap import fetching
from mss_gateway.protocol.imap.fetchitems import Attribute, BodySection, FetchItem, Partial, SectionText
from mss_gateway.storage.sqlite import lines, messages, opening
from mss_gateway.storage.sqlite.engine import connect
from mss_gateway.storage.sqlite.migrate import migrate
from tests.support.store import sqlite_options

BODY = BodySection(b"BODY[]", peek=True)
HEADER = BodySection(b"BODY[HEADER]", text=SectionText.HEADER, peek=True)
COLUMNS = [
    Attribute.UID,
    Attribute.FLAGS,
    Attribute.MODSEQ,
    Attribute.SIZE,
    Attribute.INTERNALDATE,
    Attribute.ENVELOPE,
    Attribute.BODYSTRUCTURE,
]
READER, OTHER = 7, 8

octets = st.binary(max_size=40)
messages_ = st.fixed_dictionaries(
    {
        "flags": st.integers(0, 31),
        "keywords": st.sampled_from(["", "", "$Junk", "$a Zz", "bad(flag", "$mdnsent suivi"]),
        "modseq": st.integers(1, 10**15),
        "date": st.floats(-1e13, 1e13) | st.integers(0, 2**31).map(float),
        "envelope": st.sampled_from([b"", b'("x" NIL)']),
        "header": octets,
        "text": octets,
        "large": st.booleans(),
        "gone": st.booleans(),
        "seen": st.none()
        | st.tuples(st.sampled_from([READER, OTHER]), st.booleans(), st.integers(1, 10**15)),
    }
)


class Store:
    """A database of messages put there by hand, one folder for each example."""

    def __init__(self, path: Path) -> None:
        self.db = connect(path, sqlite_options(path.parent))
        migrate(self.db)
        self.db.execute("PRAGMA foreign_keys = OFF")  # no box is needed
        self.db.execute("PRAGMA synchronous = OFF")
        self.folder = 0
        self.texts: dict[int, bytes] = {}
        self.large: set[int] = set()

    def fill(self, rows: Sequence[dict[str, object]]) -> list[int]:
        """A new folder; return the UIDs of what was not expunged."""
        self.folder += 1
        kept = []
        for uid, row in enumerate(rows, 1):
            if row["gone"]:
                self.db.execute("INSERT INTO expunged VALUES (?, 2, ?)", (self.folder, uid))
                continue
            kept.append(uid)
            self._message(uid, row)
        self.db.execute(
            "INSERT INTO folders (id, box_id, name, special_use, uid_validity, uid_next, messages)"
            " VALUES (?, 1, ?, '', 1, ?, ?)",
            (self.folder, f"folder {self.folder}", len(rows) + 1, len(kept)),
        )
        return kept

    def _message(self, uid: int, row: dict[str, object]) -> None:
        header, text, envelope = (bytes(row[name]) for name in ("header", "text", "envelope"))  # type: ignore[call-overload]
        self.db.execute(
            "INSERT INTO bodies (refs, size, header_size, digest, envelope, bodystructure, structure, subject_base,"
            " segment, segment_offset) VALUES (1, ?, ?, x'', ?, ?, x'', '', ?, 0)",
            (len(header) + len(text), len(header), envelope, envelope, 1 if row["large"] else None),
        )
        body = self.db.last_insert_rowid()
        self.db.execute(
            "INSERT INTO body_bytes VALUES (?, ?, ?)", (body, header, None if row["large"] else text)
        )
        self.db.execute(
            "INSERT INTO messages (folder_id, uid, body_id, flags, keywords, modseq, created_modseq, internal_date)"
            " VALUES (?, ?, ?, ?, ?, ?, 1, ?)",
            (self.folder, uid, body, row["flags"], row["keywords"], row["modseq"], row["date"]),
        )
        self.texts[body] = text
        if row["large"]:
            self.large.add(body)
        if isinstance(row["seen"], tuple):
            person, seen, modseq = row["seen"]
            self.db.execute(
                "INSERT INTO member_seen VALUES (?, ?, ?, ?, ?)", (self.folder, uid, person, seen, modseq)
            )

    def row_by_row(
        self, viewer: Viewer, numbers: dict[int, int], items: tuple[FetchItem, ...], *, uidonly: bool
    ) -> list[bytes | int]:
        """The lines as `imapd.fetch` writes them from rows, in the order of `numbers`."""
        want = frozenset({Want.ENVELOPE, Want.BODYSTRUCTURE, Want.HEADER})
        rows = {row.uid: row for row in messages.rows(self.db, self.folder, viewer, list(numbers), want)}
        found: list[bytes | int] = []
        for uid in numbers:
            if uid not in rows:
                continue
            row = rows[uid]
            if BODY in items and row.body_id in self.large:
                found.append(uid)
                continue
            pieces = [self._piece(row, item) for item in items]
            found.append(fetching.uidfetch(uid, pieces) if uidonly else fetching.fetch(numbers[uid], pieces))
        return found

    def _piece(self, row: MessageRow, item: FetchItem) -> bytes:
        if isinstance(item, Attribute):
            return PIECES[item](row)
        assert isinstance(item, BodySection)
        header = row.header or b""
        return fetching.literal_item(
            item.label, header if item is HEADER else header + self.texts[row.body_id]
        )


@cache
def store_in(folder: Path) -> Store:
    """One database for all examples: making one costs more than an example."""
    return Store(folder / "store.db")


def joined(pieces: Sequence[bytes | int]) -> list[bytes | int]:
    """Neighbouring lines as one piece."""
    found: list[bytes | int] = []
    for piece in pieces:
        if isinstance(piece, bytes) and found and isinstance(found[-1], bytes):
            found[-1] += piece
        else:
            found.append(piece)
    return found


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The database of this file."""
    return store_in(tmp_path_factory.mktemp("lines"))


@pytest.mark.req("IMP-1")
@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(messages_, max_size=9),
    items=st.lists(st.sampled_from([*COLUMNS, BODY, HEADER]), min_size=1, max_size=6, unique=True),
    shared=st.booleans(),
    uidonly=st.booleans(),
    chosen=st.sets(st.integers(1, 9)),
    turned=st.booleans(),
    sparse=st.sampled_from([1, lines.SPARSE]),
    first=st.integers(1, 2**31),
)
def test_lines_are_those_of_the_rows(
    store: Store,
    rows: list[dict[str, object]],
    items: list[FetchItem],
    shared: bool,
    uidonly: bool,
    chosen: set[int],
    turned: bool,
    sparse: int,
    first: int,
) -> None:
    """Any flags, keywords, dates and octets, in own and shared boxes, with holes, expunged UIDs and any numbering."""
    store.fill(rows)
    viewer = Viewer(READER, shared=shared)
    uids: Sequence[int] = sorted(chosen) or range(1, 10)
    if turned:
        uids = uids[::-1]
    numbers = range(first, first + len(uids))
    wanted = tuple(items)
    assert lines.writes(wanted)
    with mock.patch.object(lines, "SPARSE", sparse):
        found = lines.lines(store.db, store.folder, viewer, uids, numbers, wanted, uidonly=uidonly)
    given_numbers = dict(zip(uids, numbers, strict=True))
    assert joined(found.pieces) == joined(store.row_by_row(viewer, given_numbers, wanted, uidonly=uidonly))


def test_the_highest_mod_sequence_is_that_of_the_viewer(store: Store) -> None:
    """A reader who sees a mod-sequence must hear of everything below it, their own \\Seen included (RFC 7162)."""
    row: dict[str, object] = {
        "flags": 0,
        "keywords": "",
        "modseq": 5,
        "date": 0.0,
        "envelope": b"",
        "header": b"",
    }
    row |= {"text": b"", "large": False, "gone": False, "seen": (READER, True, 9)}
    store.fill([row, row | {"modseq": 7, "seen": None}])
    items = (Attribute.MODSEQ,)
    for viewer, highest in (
        (Viewer(READER, shared=True), 9),
        (Viewer(READER), 7),
        (Viewer(OTHER, shared=True), 7),
    ):
        assert lines.lines(store.db, store.folder, viewer, range(1, 3), range(1, 3), items).modseq == highest


def test_the_keywords_that_lines_show_are_told(store: Store) -> None:
    """Each once, of the messages asked for alone, and only where flags are among the items."""
    row: dict[str, object] = {
        "flags": 1,
        "modseq": 5,
        "date": 0.0,
        "envelope": b"",
        "header": b"",
        "text": b"",
    }
    row |= {"large": False, "gone": False, "seen": None}
    words = ["", "a,b suivi", "suivi", "a,b suivi", "autre"]
    store.fill([row | {"keywords": word} for word in words])
    for items, told in (((Attribute.UID, Attribute.FLAGS), {"a,b", "suivi"}), ((Attribute.UID,), set())):
        for uids in (range(1, 5), [4, 1, 2]):
            found = lines.lines(store.db, store.folder, Viewer(READER), uids, uids, items)
            assert found.keywords == told


def test_a_folder_that_has_gone_is_told(store: Store) -> None:
    """No message at all is an answer only while the folder is there."""
    store.fill([])
    items = (Attribute.UID,)
    assert lines.lines(store.db, store.folder, Viewer(1), [1, 3], [1, 2], items).pieces == ()
    with pytest.raises(NoSuchFolder):
        lines.lines(store.db, store.folder + 1, Viewer(1), [1, 3], [1, 2], items)


@pytest.mark.parametrize(
    "item",
    [
        Attribute.PREVIEW,
        Attribute.BODY,
        BodySection(b"BODY[1]", part=(1,)),
        BodySection(b"BODY[]<0>", partial=Partial(0, 5)),
        BodySection(b"BODY[TEXT]", text=SectionText.TEXT),
        BodySection(b"BODY[HEADER.FIELDS (TO)]", text=SectionText.HEADER_FIELDS, fields=("to",)),
    ],
)
def test_what_is_not_a_column_is_left_to_the_door(item: FetchItem) -> None:
    """Parts, partials and chosen fields are cut by the door."""
    assert not lines.writes((Attribute.UID, item))


@pytest.mark.req("IMP-2")
@settings(max_examples=80, deadline=None)
@given(rows=st.lists(messages_, max_size=9), shared=st.booleans(), forgotten=st.booleans())
def test_a_snapshot_is_what_lies_in_the_folder(
    store: Store, rows: list[dict[str, object]], shared: bool, forgotten: bool
) -> None:
    """UIDs out of the counters and the expunged ones, keywords and the first unseen are those of the messages.

    Where the expunged ones are not all written down, the messages themselves are read.
    """
    kept = store.fill(rows)
    if forgotten:
        store.db.execute("DELETE FROM expunged WHERE folder_id = ? AND uid = 1", (store.folder,))
    viewer = Viewer(READER, shared=shared)
    found = opening.snapshot(store.db, store.folder, viewer)
    there = messages.rows(store.db, store.folder, viewer, range(1, 10), frozenset())
    assert list(found.uids) == kept == [row.uid for row in there]
    assert found.first_unseen == next((row.uid for row in there if "\\Seen" not in row.flags), 0)
    words = {word for row in rows if not row["gone"] for word in str(row["keywords"]).split()}
    assert set(found.keywords) == words
