"""FETCH lines made by SQLite, a batch in one piece and one step: no message becomes an object of Python, and the
loop goes on meanwhile (RFC 9051 section 7.5.2)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial

import apsw
import orjson

from mss_gateway.ports.fetchlines import Lines
from mss_gateway.ports.mailboxes import Viewer
from mss_gateway.ports.records import TEXT_PART
from mss_gateway.ports.store import DamagedBody
from mss_gateway.protocol.imap.fetching import LATEST, MONTHS, OLDEST
from mss_gateway.protocol.imap.fetchitems import Attribute, BodySection, FetchItem, SectionText

from .encryption import BODYSTRUCTURE, ENVELOPE, HEADER, KEY_JOIN, cipher_of, opened
from .engine import Engine
from .folders import folder_of
from .marks import FLAG_TEXT, flag_text
from .messages import flag_columns, uid_list


def _when(mask: int) -> str:
    return f" WHEN {mask} THEN '{flag_text(mask, '')}'"


# Without keywords there are 32 spellings, which need no call; the frequent ones stand first.
_FLAGS = (
    f"CASE WHEN m.keywords <> '' THEN {FLAG_TEXT}(({{flags}}), m.keywords) ELSE CASE ({{flags}}) & 31"
    + "".join(map(_when, range(32)))
    + " END END"
)
_DAY = f"min(max(CAST(m.internal_date AS INTEGER), {OLDEST}), {LATEST}), 'unixepoch'"
_MONTH = f"substr('{''.join(month.decode() for month in MONTHS)}', 3 * strftime('%m', {_DAY}) - 2, 3)"
_PIECES: dict[FetchItem, str] = {
    Attribute.UID: "'UID ' || m.uid",
    Attribute.FLAGS: _FLAGS,
    Attribute.MODSEQ: "'MODSEQ (' || {modseq} || ')'",
    Attribute.SIZE: "'RFC822.SIZE ' || b.size",
    Attribute.INTERNALDATE: f"strftime('INTERNALDATE \"%e-', {_DAY}) || {_MONTH}"
    f" || strftime('-%Y %H:%M:%S +0000\"', {_DAY})",
    Attribute.ENVELOPE: "'ENVELOPE ' || iif(length(b.envelope), b.envelope, 'NIL')",
    Attribute.BODYSTRUCTURE: "'BODYSTRUCTURE ' || iif(length(b.bodystructure), b.bodystructure, 'NIL')",
}
_Written = tuple[bytes, int, Sequence[str]]  # lines, highest mod-sequence, keywords

SPARSE = 16
"""Messages for each hole from which on they are read as ranges rather than one by one."""

_HEADER = "' {{' || length(x.header) || '}}' || char(13, 10) || x.header"
_WHOLE = "' {{' || (length(x.header) + length(x.text)) || '}}' || char(13, 10) || x.header || x.text"
_LABELS = {b"BODY[]": _WHOLE, b"RFC822": _WHOLE, b"BODY[HEADER]": _HEADER, b"RFC822.HEADER": _HEADER}
_OF_BODIES = {Attribute.SIZE, Attribute.ENVELOPE, Attribute.BODYSTRUCTURE}

_KEYS = KEY_JOIN.format("m.body_id")
_OPENED = opened(_KEYS, HEADER, "x.header")
_OPENED_WHOLE = (
    f"' {{{{' || b.size || '}}}}' || char(13, 10) || {_OPENED} || {opened(_KEYS, TEXT_PART, 'x.text')}"
)
_OPENED_HEADER = f"' {{{{' || b.header_size || '}}}}' || char(13, 10) || {_OPENED}"
# What the other pieces read, each opened once where bodies may be sealed: lengths come from the columns.
_SEALED = {
    _PIECES[Attribute.ENVELOPE]: "'ENVELOPE ' ||"
    f" coalesce(nullif({opened(_KEYS, ENVELOPE, 'b.envelope')}, x''), 'NIL')",
    _PIECES[Attribute.BODYSTRUCTURE]: "'BODYSTRUCTURE ' ||"
    f" coalesce(nullif({opened(_KEYS, BODYSTRUCTURE, 'b.bodystructure')}, x''), 'NIL')",
    _WHOLE: _OPENED_WHOLE,
    _HEADER: _OPENED_HEADER,
}


def _piece(item: FetchItem, *, sealed: bool = False) -> str | None:
    """The SQL of one item, None when only the door can answer it."""
    if not isinstance(item, BodySection):
        piece = _PIECES.get(item)
        return _SEALED.get(piece, piece) if sealed and piece is not None else piece
    whole = not item.part and item.partial is None and item.text in (SectionText.WHOLE, SectionText.HEADER)
    if not whole or item.label not in _LABELS:
        return None
    octets = _LABELS[item.label]
    return f"'{item.label.decode()}' || {_SEALED[octets] if sealed else octets}"


@lru_cache(maxsize=1024)
def writes(items: tuple[FetchItem, ...]) -> bool:
    """Can these items be written here?"""
    return all(_piece(item) is not None for item in items)


def _reads_texts(items: tuple[FetchItem, ...]) -> bool:
    return any(isinstance(item, BodySection) and item.text is SectionText.WHOLE for item in items)


@lru_cache(maxsize=256)
def _query(
    items: tuple[FetchItem, ...], *, shared: bool, dense: bool, uidonly: bool, sealed: bool = False
) -> str:
    """One statement for a batch: its lines, the highest mod-sequence, the keywords that the lines show."""
    flags, modseq, seen = flag_columns(shared=shared)
    if uidonly:
        start = "'* ' || m.uid || ' UIDFETCH ('"
    else:
        number = "(m.uid - :shift)" if dense else "j.value"
        start = f"'* ' || {number} || ' FETCH ('"
    pieces = " || ' ' || ".join(str(_piece(item, sealed=sealed)) for item in items)
    pieces = pieces.format(flags=flags, modseq=modseq)
    texts = any(isinstance(item, BodySection) for item in items)
    columns = not _OF_BODIES.isdisjoint(items) or (sealed and texts)
    body = " CROSS JOIN bodies AS b ON b.id = m.body_id" if columns else ""
    body += " CROSS JOIN body_bytes AS x ON x.id = m.body_id" if texts else ""
    body += _KEYS if sealed and columns else ""
    origin = "messages AS m" if dense else "json_each(:wanted) AS j CROSS JOIN messages AS m"
    # Neither form is merged into the outer query, which would make each line twice, nor loses its order.
    end = (
        "m.uid BETWEEN :first AND :last ORDER BY m.uid"
        if dense
        else "m.uid = CAST(j.key AS INTEGER) LIMIT -1"
    )
    line = f"{start} || {pieces} || ')' || char(13, 10)"
    told = Attribute.FLAGS in items
    words = "json_group_array(DISTINCT words) FILTER (WHERE words <> '')" if told else "'[]'"
    return (
        f"SELECT CAST(group_concat(line, '') AS BLOB), max(modseq), {words}"
        f" FROM (SELECT {line} AS line, {modseq} AS modseq{', m.keywords AS words' if told else ''}"
        f" FROM {origin}{body}{seen}"
        f" WHERE m.folder_id = :folder AND {end})"
    )


def lines(
    db: apsw.Connection,
    folder_id: int,
    viewer: Viewer,
    uids: Sequence[int],
    numbers: Sequence[int],
    items: tuple[FetchItem, ...],
    *,
    uidonly: bool = False,
) -> Lines:
    """The lines of UIDs. What lies in a segment is no part of the database, and is left to the caller."""
    large = _in_segments(db, folder_id, uids) if _reads_texts(items) else set()
    query = partial(_lines, db, folder_id, viewer, items, uidonly=uidonly)
    pieces: list[bytes | int] = []
    keywords: set[str] = set()
    modseq = at = 0
    apart = [place for place, uid in enumerate(uids) if uid in large] if large else []
    for end in (*apart, len(uids)):
        for start, stop in _stretches(uids, at, end):
            for text, highest, words in _whole(query, uids, numbers, start, stop):
                modseq = max(modseq, highest)
                keywords.update(*map(str.split, words))
                if text:
                    pieces.append(text)
        if end < len(uids):
            pieces.append(uids[end])
        at = end + 1
    if not pieces:
        folder_of(db, folder_id)
    return Lines(tuple(pieces), modseq, frozenset(keywords))


def _whole(
    query: Callable[[Sequence[int], Sequence[int]], _Written],
    uids: Sequence[int],
    numbers: Sequence[int],
    start: int,
    stop: int,
) -> Iterator[_Written | tuple[int, int, Sequence[str]]]:
    """The lines of a stretch; a message that is damaged is left to the caller, and keeps no other from its line."""
    try:
        yield query(uids[start:stop], numbers[start:stop])
    except DamagedBody:
        if stop - start == 1:
            yield uids[start], 0, ()
            return
        middle = (start + stop) // 2
        yield from _whole(query, uids, numbers, start, middle)
        yield from _whole(query, uids, numbers, middle, stop)


def _stretches(uids: Sequence[int], at: int, end: int) -> Iterator[tuple[int, int]]:
    """Where UIDs without a hole begin and end; all in one where there are many holes, or another order."""
    if at >= end:
        return
    holes = uids[end - 1] - uids[at] - (end - 1 - at)
    if not 0 <= holes * SPARSE <= end - at:
        yield at, end
        return
    while at < end:
        # UIDs less their places never fall: where they first rise, the stretch has ended.
        place = bisect_right(range(at, end), uids[at] - at, key=lambda there: uids[there] - there)
        yield at, at + place
        at += place


def _in_segments(db: apsw.Connection, folder_id: int, uids: Sequence[int]) -> set[int]:
    rows = db.execute(
        "SELECT m.uid FROM json_each(?1) AS j CROSS JOIN messages AS m ON m.folder_id = ?2 AND m.uid = j.value"
        " CROSS JOIN bodies AS b ON b.id = m.body_id WHERE b.segment IS NOT NULL",
        (uid_list(uids), folder_id),
    )
    return {row[0] for row in rows}


def _lines(
    db: apsw.Connection,
    folder_id: int,
    viewer: Viewer,
    items: tuple[FetchItem, ...],
    uids: Sequence[int],
    numbers: Sequence[int],
    *,
    uidonly: bool,
) -> _Written:
    """Lines, highest mod-sequence and keywords, each as rows have them; ascending UIDs without a hole are one range."""
    values: dict[str, int | str] = {"folder": folder_id, "person": viewer.person_id}
    dense = uids[-1] - uids[0] == numbers[-1] - numbers[0] == len(uids) - 1
    if dense:
        values |= {"first": uids[0], "last": uids[-1], "shift": uids[0] - numbers[0]}
    else:
        pairs = dict(zip(uids, numbers, strict=True))
        values["wanted"] = orjson.dumps(pairs, option=orjson.OPT_NON_STR_KEYS).decode()
    sealed = cipher_of(db) is not None
    query = _query(items, shared=viewer.shared, dense=dense, uidonly=uidonly, sealed=sealed)
    text, modseq, words = db.execute(query, values).fetchone() or (None, None, "[]")
    return text or b"", modseq or 0, () if words == "[]" else orjson.loads(words)


class LineRows:
    """Implements `ports.fetchlines.FetchLines`; the store gives the engine."""

    _engine: Engine

    def writes(self, items: tuple[FetchItem, ...]) -> bool:
        """Columns of the store, and texts in one piece."""
        return writes(items)

    async def lines(
        self,
        folder_id: int,
        viewer: Viewer,
        uids: Sequence[int],
        numbers: Sequence[int],
        items: tuple[FetchItem, ...],
        *,
        uidonly: bool = False,
    ) -> Lines:
        """One batch."""
        return await self._engine.read(
            lambda db: lines(db, folder_id, viewer, uids, numbers, items, uidonly=uidonly)
        )
