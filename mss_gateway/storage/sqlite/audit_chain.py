"""The hash chain over the trace: every line carries an HMAC over the one before it and over itself (AUD-1).

Link of a line: HMAC-SHA256(key, link of the line before + the line as a JSON list). The key lies in a file beside the
store, so that somebody with the database alone cannot write a chain that holds.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from weakref import WeakKeyDictionary

import apsw
import orjson

from mss_gateway.observe.durable import make_private, sync
from mss_gateway.ports.store import StoreError

Row = tuple[float, str, str, str | None, int | None, str, str]
"""A line as stored: at, event, transaction, Message-ID, box, actor, detail."""

COLUMNS = "at, event, transaction_id, message_id, box_id, actor, detail"
"""The columns that a link covers, in the order of `Row`."""

START = bytes(32)
"""What the first line of all is linked to."""

KEY_SIZE = 32
"""Octets of a key."""

_INSERT = f"INSERT INTO trace ({COLUMNS}, link) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_BLOCK = 64
_TAKEN_IN = 10_000  # lines of an older store that are in memory at once
_INNER = bytes(value ^ 0x36 for value in range(256))
_OUTER = bytes(value ^ 0x5C for value in range(256))


def linker(key: bytes) -> Callable[[bytes], bytes]:
    """HMAC-SHA256 under one key (RFC 2104), its two padded blocks hashed once: half the time of `hmac.digest`."""
    padded = key.ljust(_BLOCK, b"\0")
    inner, outer = sha256(padded.translate(_INNER)), sha256(padded.translate(_OUTER))

    def sign(data: bytes) -> bytes:
        first, second = inner.copy(), outer.copy()
        first.update(data)
        second.update(first.digest())
        return second.digest()

    return sign


def key_id(key: bytes) -> str:
    """What names a key without telling it."""
    return sha256(b"mss-gateway audit key" + key).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of the file, the last one in use; `made` tells that the file was not there before."""

    all: tuple[bytes, ...]
    made: bool = False

    @property
    def current(self) -> bytes:
        """The key that links new lines."""
        return self.all[-1]

    def linkers(self) -> dict[str, Callable[[bytes], bytes]]:
        """What signs, by the id of its key."""
        return {key_id(key): linker(key) for key in self.all}


def read_keys(path: Path) -> Keys:
    """The keys of a file, one in hexadecimal on each line; raises `StoreError` when it is none, OSError."""
    keys = []
    for line in path.read_text(encoding="ascii", errors="replace").split():
        try:
            key = bytes.fromhex(line)
        except ValueError:
            key = b""
        if len(key) != KEY_SIZE:
            raise StoreError(f"{path} is no key file of the audit trail: take it from the last backup")
        keys.append(key)
    if not keys:
        raise StoreError(f"{path} is empty: take the key of the audit trail from the last backup")
    return Keys(tuple(keys))


def make_keys(path: Path) -> Keys:
    """The keys of the file, or made ones, which `keep_keys` gives its name; raises `StoreError`, OSError.

    A key has that name once the chain has begun with it: a start that was killed before is begun again.
    """
    with contextlib.suppress(FileNotFoundError):
        return read_keys(path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = _made(path)
    with contextlib.suppress(FileNotFoundError, StoreError):
        return Keys(read_keys(made).all, made=True)
    made.unlink(missing_ok=True)  # a torn one
    key = os.urandom(KEY_SIZE)
    make_private(made, key.hex().encode() + b"\n")
    return Keys((key,), made=True)


def keep_keys(path: Path) -> None:
    """Give made keys their name, durably; raises OSError."""
    _made(path).replace(path)
    sync(path.parent)


def _made(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


class Chain:
    """The end of the chain as the writer knows it; used in the writer thread alone."""

    __slots__ = ("_db", "_last", "_link", "_sign", "_unproved", "key_id")

    def __init__(self, db: apsw.Connection, key: bytes) -> None:
        self._db = db
        self._sign = linker(key)
        self.key_id = key_id(key)
        self._last = 0
        self._link: bytes | None = self._found()
        self._unproved = False

    def append(self, rows: Iterable[Row]) -> None:
        """Insert lines, each linked to the one before it."""
        link = self._link if self._link is not None else self._found()
        sign = self._sign
        linked = []
        for row in rows:
            link = sign(link + orjson.dumps(row))
            linked.append((*row, link))
        if not linked:
            return
        self._db.executemany(_INSERT, linked)
        self._last = self._db.last_insert_rowid()
        self._link = link
        self._unproved = True

    def prove(self) -> None:
        """Before the commit: write down where the chain ends."""
        if self._unproved:
            self._unproved = False
            if self._link is None:
                self._link = self._found()
            proof = self._sign(head_text(self._last, self._link))
            self._db.execute("REPLACE INTO audit_head VALUES (1, ?, ?, ?)", (self._last, self._link, proof))

    def forget(self) -> None:
        """A job or a batch was undone: look at the table again, and prove its end with this batch or the next."""
        self._link = None

    def _found(self) -> bytes:
        """The link to go on from: of the last line, or of the head where lines after it were taken away."""
        last = self._db.execute("SELECT id, link FROM trace ORDER BY id DESC LIMIT 1").fetchone()
        head = self._db.execute("SELECT line_id, link, proof FROM audit_head").fetchone()
        if head is not None and is_head(head, [self._sign]) and (last is None or int(last[0]) < head[0]):
            self._last = head[0]
            return bytes(head[1])
        self._last = int(last[0]) if last is not None else 0
        return bytes(last[1]) if last is not None and isinstance(last[1], bytes) else START

    @property
    def end(self) -> tuple[int, bytes]:
        """Id and link of the line that was appended last in this job."""
        return self._last, self._link or START

    def sign(self, data: bytes) -> bytes:
        """A proof under the key in use."""
        return self._sign(data)

    def link_rows(self, first: int) -> None:
        """Take the lines of an older store into the chain, from an id on, in order."""
        link = START
        lines = f"SELECT id, {COLUMNS} FROM trace WHERE id >= ? ORDER BY id LIMIT {_TAKEN_IN}"
        while found := self._db.execute(lines, (first,)).fetchall():
            links = []
            for row in found:
                link = self._sign(link + orjson.dumps(row[1:]))
                links.append((link, row[0]))
            self._db.executemany("UPDATE trace SET link = ? WHERE id = ?", links)
            self._last = int(str(found[-1][0]))
            first = self._last + 1
            self._unproved = True
        self._link = link
        self.prove()


_CHAINS: WeakKeyDictionary[apsw.Connection, Chain] = WeakKeyDictionary()


def chain_of(db: apsw.Connection) -> Chain:
    """The chain that a writer's connection continues; raises `StoreError` on any other connection."""
    chain = _CHAINS.get(db)
    if chain is None:
        raise StoreError("only the store's writer appends to the trace")
    return chain


def begin(db: apsw.Connection, path: Path) -> Chain:
    """Continue the chain of a store that is being opened, or begin it; raises `StoreError`, OSError.

    Lines from before the chain are taken into it once, when the key is made: a link that is removed later is never
    filled in again.
    """
    keys = make_keys(path)
    chain = _CHAINS[db] = Chain(db, keys.current)
    newest = db.execute("SELECT key_id FROM audit_epochs ORDER BY first_id DESC LIMIT 1").fetchone()
    if newest is None or newest[0] != chain.key_id:
        _begin_epoch(db, chain, take_in=newest is None and keys.made)
    if keys.made:
        keep_keys(path)
    return chain


def _begin_epoch(db: apsw.Connection, chain: Chain, *, take_in: bool) -> None:
    for low, high in db.execute("SELECT coalesce(min(id), 1), coalesce(max(id), 0) FROM trace"):
        oldest, known = int(str(low)), int(str(high))
    db.execute("BEGIN IMMEDIATE")
    try:
        if take_in:
            first = oldest
            chain.link_rows(first)
            if first > 1:
                write_gaps(db, chain, [(1, first - 1, START)])
        else:
            first = known + 1
        db.execute("INSERT OR REPLACE INTO audit_epochs VALUES (?, ?)", (first, chain.key_id))
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def write_gaps(db: apsw.Connection, chain: Chain, gaps: Sequence[tuple[int, int, bytes]]) -> None:
    """Replace the runs of lines that are no longer there: first id, last id, link of the last."""
    db.execute("DELETE FROM audit_gaps")
    db.executemany(
        "INSERT INTO audit_gaps VALUES (?, ?, ?, ?)",
        [(first, last, link, chain.sign(gap_text(first, last, link))) for first, last, link in gaps],
    )


def head_text(line_id: int, link: bytes) -> bytes:
    """What the proof of the head covers."""
    return b"head %d " % line_id + link


def is_head(row: Sequence[object], signers: Iterable[Callable[[bytes], bytes]]) -> bool:
    """Does the proof of a head hold, under one of these keys? Whatever somebody may have put into the table."""
    line_id, link, proof = row
    if not isinstance(line_id, int) or not isinstance(link, bytes):
        return False
    text = head_text(line_id, link)
    return any(sign(text) == proof for sign in signers)


def gap_text(first: int, last: int, link: bytes) -> bytes:
    """What the proof of a gap covers."""
    return b"gap %d %d " % (first, last) + link


def seal_text(line_id: int, link: bytes, at: float) -> bytes:
    """What the proof of a seal covers."""
    return b"seal %d %r " % (line_id, at) + link
