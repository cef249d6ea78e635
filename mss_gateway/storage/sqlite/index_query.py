"""Questions to the index of one box: exact ones for SEARCH, near ones for FUZZY."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

import apsw

from mss_gateway.mail.plaintext import FIELDS
from mss_gateway.mail.searchtext import SEPARATOR
from mss_gateway.ports.textsearch import BODY, TEXT, FuzzyHits, TextHits

from .index_file import quoted

MOST_WORDS = 300
"""Words of the vocabulary that one question names; a needle inside more of them is looked for in the texts."""

_OF_FIELD = dict(zip(FIELDS, ("subject", "sender", "recipients", "cc", "bcc", "reply"), strict=True))
_PLACES = (
    "texts AS t CROSS JOIN places AS p ON p.body_id = t.rowid AND p.folder_id = ?2 WHERE t.texts MATCH ?1"
)


def find(db: apsw.Connection, folder_id: int, field: str, needle: str) -> TextHits:
    """Messages of a folder that contain a folded needle."""
    row = db.execute("SELECT decided FROM folders WHERE id = ?", (folder_id,)).fetchone()
    if row is None:
        return TextHits()
    own = _OF_FIELD.get(field)
    if own is not None:
        found: Iterator[int] = _containing(db, folder_id, (own,), needle)
    elif field == TEXT:
        found = _containing(db, folder_id, ("header", "body"), needle)
    elif field == BODY:
        found = _containing(db, folder_id, ("body",), needle)
    else:
        found = _in_field(db, folder_id, field, needle)
    uids = frozenset(found)
    cut = {TEXT: "x.header OR x.body", BODY: "x.body"}.get(field, "x.header")
    unsure = db.execute(
        "SELECT p.uid FROM partial AS x CROSS JOIN places AS p ON p.body_id = x.body_id AND p.folder_id = ?"
        f" WHERE {cut}",
        (folder_id,),
    )
    return TextHits(uids, row[0], frozenset(uid for (uid,) in unsure) - uids)


def _containing(db: apsw.Connection, folder_id: int, columns: Sequence[str], needle: str) -> Iterator[int]:
    query = _query(db, needle)
    if query is None:
        return _reading(db, folder_id, columns, needle)
    if not query:
        return iter(())
    wanted = f"{{{' '.join(columns)}}} : ({query})"
    return (uid for (uid,) in db.execute(f"SELECT p.uid FROM {_PLACES}", (wanted, folder_id)))


def _query(db: apsw.Connection, needle: str) -> str | None:
    """The needle as an FTS5 query; empty when no word can contain it, None when the texts are to be read."""
    parts = needle.split(" ")
    if not all(parts):  # white space at an end: words alone do not tell the first and last word of a text
        return None
    if len(parts) == 1:
        words = _words(db, "instr(word, ?1)", needle)
        return None if words is None else " OR ".join(map(quoted, words))
    first, *rest = parts
    words = _words(db, "substr(word, -length(?1)) = ?1", first)
    if words is None:
        return None
    tail = " + ".join(map(quoted, rest))
    return " OR ".join(f"{quoted(word)} + {tail} *" for word in words)


def _words(db: apsw.Connection, condition: str, text: str) -> list[str] | None:
    rows = db.execute(f"SELECT word FROM words WHERE {condition} LIMIT {MOST_WORDS + 1}", (text,))
    words = [word for (word,) in rows]
    return words if len(words) <= MOST_WORDS else None


def _reading(db: apsw.Connection, folder_id: int, columns: Sequence[str], needle: str) -> Iterator[int]:
    """Look into the kept texts of the folder, one after the other."""
    holds = " OR ".join(f"instr(t.{column}, ?2)" for column in columns)
    rows = db.execute(
        "SELECT p.uid FROM places AS p CROSS JOIN texts AS t ON t.rowid = p.body_id"
        f" WHERE p.folder_id = ?1 AND ({holds})",
        (folder_id, needle),
    )
    return (uid for (uid,) in rows)


def _in_field(db: apsw.Connection, folder_id: int, field: str, needle: str) -> Iterator[int]:
    """A field without a column of its own: candidates by the whole header, then their header texts."""
    start = f"{field}: "
    uids = list(_containing(db, folder_id, ("header",), needle))
    sql = (
        "SELECT t.header FROM places AS p JOIN texts AS t ON t.rowid = p.body_id"
        " WHERE p.folder_id = ? AND p.uid = ?"
    )
    for uid in uids:
        for (header,) in db.execute(sql, (folder_id, uid)):
            values = [line[len(start) :] for line in header.split(SEPARATOR) if line.startswith(start)]
            if needle in SEPARATOR.join(values):
                yield uid


# --- fuzzy

_CORE = re.compile(r"\w++")
_SHORTEST = 4  # letters a stem keeps
_WEIGHTS = (("{subject} : ", 1.0), ("{sender recipients cc} : ", 0.9), ("{header body} : ", 0.7))


def stem(word: str) -> str:
    """A folded French word without its signs of plural and feminine: operees, operee and opere are one."""
    if len(word) > 5 and word.endswith("aux"):
        return word[:-3] + "al"
    if len(word) > _SHORTEST and word.endswith(("s", "x")):
        word = word[:-1]
    while len(word) > _SHORTEST and word.endswith("e"):
        word = word[:-1]
    return word


def find_fuzzy(db: apsw.Connection, folder_id: int, words: Sequence[str]) -> FuzzyHits:
    """Messages in which at least half of the words occur, with their relevancy."""
    row = db.execute("SELECT decided FROM folders WHERE id = ?", (folder_id,)).fetchone()
    asked = list(dict.fromkeys(core for word in words for core in _CORE.findall(word)))[:20]
    if row is None or not asked:
        return FuzzyHits({}, row[0] if row else 0)
    sums: dict[int, float] = {}
    counts: dict[int, int] = {}
    for word in asked:
        for uid, quality in _near(db, folder_id, word).items():
            sums[uid] = sums.get(uid, 0.0) + quality
            counts[uid] = counts.get(uid, 0) + 1
    least = math.ceil(len(asked) / 2)
    scores = {
        uid: max(1, min(100, round(100 * total / len(asked))))
        for uid, total in sums.items()
        if counts[uid] >= least
    }
    return FuzzyHits(scores, row[0])


def _near(db: apsw.Connection, folder_id: int, word: str) -> dict[int, float]:
    """UIDs of messages with that word or one near it, with how near and how prominent it is."""
    best: dict[int, float] = {}
    for quality, near in _vocabulary(db, word):
        for columns, weight in _WEIGHTS:
            query = f"{columns}({' OR '.join(map(quoted, near))})"
            for (uid,) in db.execute(f"SELECT p.uid FROM {_PLACES}", (query, folder_id)):
                best[uid] = max(best.get(uid, 0.0), quality * weight)
    return best


def _vocabulary(db: apsw.Connection, word: str) -> Iterator[tuple[float, list[str]]]:
    """Words of the index in three classes: the word itself, its other forms, longer words that begin like it."""
    root = stem(word)
    classes: dict[float, list[str]] = {1.0: [], 0.9: [], 0.6: []}
    wanted = root[:-1] if word.endswith("aux") or root.endswith("al") else root  # cheval, chevaux
    for (found,) in db.execute(
        "SELECT word FROM words WHERE instr(word, ?) ORDER BY length(word)", (wanted,)
    ):
        cores = _CORE.findall(found)
        if word in cores:
            classes[1.0].append(found)
        elif any(stem(core) == root for core in cores):
            classes[0.9].append(found)
        elif len(word) >= 3 and any(core.startswith(word) for core in cores):
            classes[0.6].append(found)
    for quality, near in classes.items():
        if near:
            yield quality, near[:MOST_WORDS]
