"""The full-text index of one box: a SQLite file of its own, beside the store, that can be thrown away and made anew.

Words are what lies between two spaces of folded text (`mail.searchtext`), so a text is exactly its words with one
space between. A needle inside a word is looked for among the words first, then the messages of those words by
FTS5. The folded texts are kept in the index: FTS5 needs them to take a message's words out of its pages at once
(`secure-delete`), and a needle that too many words contain is looked for in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import apsw

from mss_gateway.mail.plaintext import IndexText

SHAPE = 1
"""The shape of the file and of the folded text in it; a file of another shape is made anew."""

_TOKEN_CHARACTERS = "".join(chr(code) for code in range(1, 127) if code != 32 and not chr(code).isalnum())
_COLUMNS = "header, subject, sender, recipients, cc, bcc, reply, body"
_QUOTED = _TOKEN_CHARACTERS.replace('"', '""').replace("'", "''''")
_SCHEMA = f"""
CREATE VIRTUAL TABLE texts USING fts5({_COLUMNS}, detail = full, columnsize = 0,
    tokenize = "ascii tokenchars '{_QUOTED}\x7f'");
INSERT INTO texts (texts, rank) VALUES ('secure-delete', 1);
CREATE TABLE words (word TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE folders (id INTEGER PRIMARY KEY, decided INTEGER NOT NULL, modseq INTEGER NOT NULL);
CREATE TABLE places (folder_id INTEGER, uid INTEGER, body_id INTEGER, PRIMARY KEY (folder_id, uid)) WITHOUT ROWID;
CREATE INDEX places_by_body ON places (body_id, folder_id, uid);
CREATE TABLE partial (body_id INTEGER PRIMARY KEY, header INTEGER NOT NULL, body INTEGER NOT NULL);
PRAGMA user_version = {SHAPE};
"""


class Known(NamedTuple):
    """How far a folder is indexed: the last UID taken in, and the mod-sequence up to which expunges were taken out."""

    decided: int
    modseq: int


class Round(NamedTuple):
    """One step forward of one folder: what came (UID, body id), what went (UIDs), texts of bodies not yet known."""

    folder_id: int
    added: Sequence[tuple[int, int]]
    vanished: Sequence[int]
    texts: dict[int, IndexText]
    known: Known


def open_index(path: Path) -> apsw.Connection:
    """Open or make the index file for writing; a file of another shape is thrown away first."""
    db = _connect(path)
    found = db.pragma("user_version")
    if found not in (0, SHAPE):
        db.close()
        remove_index(path)
        db = _connect(path)
        found = 0
    if not found:
        db.execute("BEGIN IMMEDIATE")
        db.execute(_SCHEMA)
        db.execute("COMMIT")
    return db


def _connect(path: Path) -> apsw.Connection:
    path.touch(mode=0o600)
    db = apsw.Connection(str(path))
    db.set_busy_timeout(10_000)
    # A crash may lose the last rounds, never tear the file; what is lost is indexed again.
    db.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
    # What is deleted is overwritten: a page of an index tells as much as the message did.
    db.execute("PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192")
    db.execute("PRAGMA journal_size_limit = 4194304")
    return db


def remove_index(path: Path) -> None:
    """Remove the file with its companions."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def known_folders(db: apsw.Connection) -> dict[int, Known]:
    """How far each folder is indexed."""
    return {row[0]: Known(row[1], row[2]) for row in db.execute("SELECT id, decided, modseq FROM folders")}


def count_places(db: apsw.Connection) -> int:
    """How many messages the index holds, counted once for each folder they lie in."""
    return int(next(db.execute("SELECT count(*) FROM places"))[0])


def unknown_bodies(db: apsw.Connection, body_ids: Iterable[int]) -> list[int]:
    """Those bodies that are not in the index yet, each once."""
    sql = "SELECT 1 FROM places WHERE body_id = ? LIMIT 1"
    return [body for body in dict.fromkeys(body_ids) if db.execute(sql, (body,)).fetchone() is None]


def apply(db: apsw.Connection, step: Round) -> None:
    """Write one round in one transaction."""
    with db:
        _insert(db, step.texts)
        db.executemany(
            "INSERT OR REPLACE INTO places VALUES (?, ?, ?)",
            [(step.folder_id, uid, body) for uid, body in step.added],
        )
        _take_out(db, step.folder_id, step.vanished)
        db.execute("INSERT OR REPLACE INTO folders VALUES (?, ?, ?)", (step.folder_id, *step.known))
    if step.vanished:
        # The log still holds the pages as they were before.
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def forget_folder(db: apsw.Connection, folder_id: int, limit: int) -> bool:
    """Take out up to `limit` messages of a folder that has gone; True when none is left."""
    uids = [
        row[0] for row in db.execute("SELECT uid FROM places WHERE folder_id = ? LIMIT ?", (folder_id, limit))
    ]
    with db:
        _take_out(db, folder_id, uids)
        if len(uids) < limit:
            db.execute("DELETE FROM folders WHERE id = ?", (folder_id,))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return len(uids) < limit


def _insert(db: apsw.Connection, texts: dict[int, IndexText]) -> None:
    words: set[str] = set()
    for text in texts.values():
        words.update(text.header.split(" "))
        words.update(text.body.split(" "))
    db.executemany("INSERT OR IGNORE INTO words VALUES (?)", [(word,) for word in sorted(words) if word])
    db.executemany(
        f"INSERT INTO texts (rowid, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(body, text.header, *text.fields, text.body) for body, text in texts.items()],
    )
    db.executemany(
        "INSERT INTO partial VALUES (?, ?, ?)",
        [
            (body, text.cut_header, text.cut_body)
            for body, text in texts.items()
            if text.cut_header or text.cut_body
        ],
    )


def _take_out(db: apsw.Connection, folder_id: int, uids: Sequence[int]) -> None:
    """Take places out, and with the last place of a body its words."""
    words: set[str] = set()
    for uid in uids:
        gone = db.execute(
            "DELETE FROM places WHERE folder_id = ? AND uid = ? RETURNING body_id", (folder_id, uid)
        ).fetchone()
        if gone is None or db.execute("SELECT 1 FROM places WHERE body_id = ? LIMIT 1", gone).fetchone():
            continue
        for header, body in db.execute("SELECT header, body FROM texts WHERE rowid = ?", gone):
            words.update(header.split(" "))
            words.update(body.split(" "))
        db.execute("DELETE FROM texts WHERE rowid = ?", gone)
        db.execute("DELETE FROM partial WHERE body_id = ?", gone)
    words.discard("")
    for word in words:
        if db.execute("SELECT 1 FROM texts WHERE texts MATCH ? LIMIT 1", (quoted(word),)).fetchone() is None:
            db.execute("DELETE FROM words WHERE word = ?", (word,))


def quoted(text: str) -> str:
    """Text as an FTS5 string."""
    return '"' + text.replace('"', '""') + '"'
