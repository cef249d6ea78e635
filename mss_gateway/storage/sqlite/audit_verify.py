"""Goes through the chain over the trace and tells every damage with its place (AUD-1).

Reads through a connection of its own, read-only, in short snapshots: neither the writer nor the reader of a gateway
that serves waits for it.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import orjson

from mss_gateway.ports.audit import Damage, Verdict

from .audit_chain import COLUMNS, START, Keys, gap_text, is_head
from .audit_seals import Seal, read_seals

SLICE = 300
"""Lines read in one snapshot."""

REST = 0.0002
"""Seconds of rest between two slices, so that the event loop of a gateway that serves gets its turn."""

MOST = 1000
"""Findings that are told one by one; more are only counted."""

Sign = Callable[[bytes], bytes]
_ORDERS = 64  # lines of one damaged stretch among which an exchange of places is looked for


def verify(
    store: Path, keys: Keys, seal_file: Path, *, until: int | None = None, last: int = 0, rest: float = REST
) -> Verdict:
    """Every damage of the chain, up to a line or in the `last` lines alone when told so.

    Raises `apsw.Error` when the store cannot be read.
    """
    db = apsw.Connection(str(store), flags=apsw.SQLITE_OPEN_READONLY)
    db.set_busy_timeout(10_000)
    try:
        walk = _Walk(db, keys, read_seals(seal_file, keys), until, rest)
        if last:
            walk.begin_before(last)
        return walk.verdict()
    finally:
        db.close()


class _Line:
    """A line that did not follow from the one before it."""

    __slots__ = ("at", "content", "id", "link", "wanted")

    def __init__(self, line_id: int, at: object, content: bytes, link: bytes, wanted: bytes) -> None:
        self.id = line_id
        self.at = float(at) if isinstance(at, float | int) else 0.0
        self.content = content
        self.link = link  # as stored
        self.wanted = wanted  # as it should be, should the line before it be right


class _Walk:
    """One walk along the chain. A stretch of bad lines is held until a line fits again: then its kind is known."""

    def __init__(
        self, db: apsw.Connection, keys: Keys, seals: tuple[list[Seal], int], until: int | None, rest: float
    ) -> None:
        self._db = db
        self._until = until if until is not None else 2**62
        self._rest = rest
        self._signers = keys.linkers()
        self._damage: list[Damage] = []
        self._more = 0
        self._epochs = dict(db.execute("SELECT first_id, key_id FROM audit_epochs ORDER BY first_id"))
        self._sign: Sign | None = list(self._signers.values())[-1]
        self._head = db.execute("SELECT line_id, link, proof FROM audit_head").fetchone()
        self._gaps: dict[int, tuple[int, bytes]] = {}
        self._gap_firsts: list[int] = []
        self._seals, forged = seals
        self._seal_by_id = {seal.line_id: seal for seal in self._seals}
        self._sealed_lines: set[int] = set()
        self._lines = 0
        self._last_id = 0
        self._last_at = 0.0
        self._link = START  # of the last line that fitted, or after a damage, as stored
        self._bad: list[_Line] = []
        self._late: tuple[bytes, list[_Line]] | None = (
            None  # what seemed to be put in, and may only be disordered
        )
        self._missing: tuple[int, int] | None = None
        for _ in range(forged):
            self._tell("seal-forged", 0, 0, 0.0, None)

    def begin_before(self, count: int) -> None:
        """Take the line before the last `count` ones as it is stored, and begin behind it."""
        query = "SELECT id, link, at FROM trace WHERE id <= (SELECT max(id) FROM trace) - ? ORDER BY id DESC LIMIT 1"
        for line_id, link, at in self._db.execute(query, (count,)):
            self._last_id = int(str(line_id))
            self._link = link if isinstance(link, bytes) else START
            self._last_at = float(at) if isinstance(at, float | int) else 0.0
            self._choose_key(self._last_id + 1)

    def verdict(self) -> Verdict:
        """Walk to the end and judge."""
        for rows in self._slices():
            self._take(rows)
        self._settle(None)
        self._end()
        return Verdict(self._lines, self._last_id, len(self._seals), tuple(self._damage), self._more)

    def _slices(self) -> Iterator[list[tuple[object, ...]]]:
        query = f"SELECT id, link, event, {COLUMNS} FROM trace WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT {SLICE}"
        while rows := self._read(query):
            yield rows
            if self._rest:
                time.sleep(self._rest)

    def _read(self, query: str) -> list[tuple[object, ...]]:
        """The next lines; where ids are skipped, with the purged runs of the same snapshot, for a purge may go on."""
        self._db.execute("BEGIN")
        try:
            rows = self._db.execute(query, (self._last_id, self._until)).fetchall()
            previous = self._last_id
            for line_id, *_ in rows if rows and rows[-1][0] != previous + len(rows) else ():
                assert isinstance(line_id, int)
                if line_id != previous + 1 and self._purged(previous + 1)[0] != line_id - 1:
                    self._read_gaps()
                    break
                previous = line_id
        finally:
            self._db.execute("COMMIT")
        return rows

    # --- the lines

    def _take(self, rows: list[tuple[object, ...]]) -> None:
        dumps, epochs, seals = orjson.dumps, self._epochs, self._seal_by_id
        for line_id, link, event, *row in rows:
            assert isinstance(line_id, int)
            if line_id != self._last_id + 1:
                self._gap(line_id)
            elif line_id in epochs:
                self._settle(None)
                self._choose_key(line_id)
            self._lines += 1
            self._last_id = line_id
            if event == "audit-sealed":
                self._sealed_lines.add(line_id)
            if self._sign is None:
                self._link = link if isinstance(link, bytes) else START
                continue
            try:
                content = dumps(row)
            except TypeError:  # an octet string where a text was
                content = repr(row).encode()
            wanted = self._sign(self._link + content)
            if wanted == link and not self._bad and self._missing is None:
                self._link = wanted
                self._last_at = row[0]  # type: ignore[assignment]
                if line_id in seals:
                    self._compare_seal(line_id, wanted)
                continue
            self._doubt(_Line(line_id, row[0], content, link if isinstance(link, bytes) else b"", wanted))

    def _choose_key(self, line_id: int) -> None:
        """Whose key links this line; another one may from here on."""
        begun = [first for first in self._epochs if first <= line_id]
        if not begun:
            return
        self._sign = self._signers.get(self._epochs[max(begun)])
        if self._sign is None:
            following = [first for first in self._epochs if first > line_id]
            self._missing = None
            self._tell("key-unknown", line_id, min(following) - 1 if following else line_id, 0.0, None)

    def _doubt(self, line: _Line) -> None:
        """A line that does not follow, or the first one after such lines."""
        sign, good = self._sign, self._link
        assert sign is not None
        bad = self._bad
        if not bad:
            if self._late is not None and self._missing is None and self._comes_late(line):
                return
            if self._missing is not None and line.wanted == line.link:
                self._settle(line)  # nothing is missing but numbers
            else:
                bad.append(line)
            return
        before = bad[-1]
        if sign(before.link + line.content) == line.link or (
            self._missing is None
            and line.link in (sign(good + line.content), sign(before.wanted + line.content))
        ):
            self._settle(line)
        else:
            line.wanted = sign(before.wanted + line.content)
            bad.append(line)

    def _settle(self, good: _Line | None) -> None:
        """The stretch of bad lines has ended: say what was done to it, and go on from the line that fits."""
        bad, missing, self._bad, self._missing = self._bad, self._missing, [], None
        at = self._last_at
        following = good.id if good is not None else None
        if missing is not None:
            self._tell("deleted", *missing, at, (bad[0].id if bad else following))
            # Right after a hole a line cannot be checked against what is no longer there, when it is followed well.
            if bad and (good is not None or len(bad) == 1):
                self._link = bad.pop(0).link
        if bad:
            self._classify(bad, good)
        if good is not None:
            self._link = good.link
            self._last_at = good.at

    def _classify(self, bad: list[_Line], good: _Line | None) -> None:
        sign = self._sign
        assert sign is not None
        following = good.id if good is not None else None
        self._late = None
        if good is not None and sign(self._link + good.content) == good.link:
            kind = "inserted"
            self._late = (self._link, [*bad, good])
        elif good is not None and sign(bad[-1].wanted + good.content) == good.link:
            kind = "link-replaced"
        elif self._ordered(self._link, bad) is not None:
            kind = "reordered"
        elif good is None and bad[-1].id > self._proved_last():
            kind = "inserted"
        else:
            kind = "edited"
        self._tell(kind, bad[0].id, bad[-1].id, bad[0].at, following)

    def _comes_late(self, line: _Line) -> bool:
        """Does this line follow on what seemed to be put in between? Then that was there, in another order."""
        late, self._late = self._late, None
        end = self._ordered(*late) if late is not None else None
        if end is None or self._sign is None or self._sign(end + line.content) != line.link:
            return False
        told = self._damage.pop()
        self._tell("reordered", told.first, line.id - 1, told.at, line.id)
        self._link = line.link
        self._last_at = line.at
        return True

    def _ordered(self, link: bytes, lines: list[_Line]) -> bytes | None:
        """The link at the end of these lines in some order that holds; None when there is no such order."""
        sign = self._sign
        if sign is None or not 1 < len(lines) <= _ORDERS:
            return None
        left = list(lines)
        while left:
            for line in left:
                if sign(link + line.content) == line.link:
                    left.remove(line)
                    link = line.link
                    break
            else:
                return None
        return link

    # --- what is not there

    def _gap(self, line_id: int) -> None:
        """Ids that are skipped: taken away by a purge, or by somebody."""
        self._settle(None)
        first = self._last_id + 1
        last, link = self._purged(first)
        if first <= last < line_id:
            first, self._link = last + 1, link
        if first < line_id:
            self._missing = (first, line_id - 1)
        self._choose_key(line_id)

    def _purged(self, line_id: int) -> tuple[int, bytes]:
        """Last id and link of the run that begins here, or before: a purge takes away what was read already."""
        place = bisect_right(self._gap_firsts, line_id)
        return self._gaps[self._gap_firsts[place - 1]] if place else (0, START)

    def _read_gaps(self) -> None:
        rows = self._db.execute("SELECT first_id, last_id, link, proof FROM audit_gaps")
        self._gaps = {
            first: (last, link)
            for first, last, link, proof in rows
            if isinstance(last, int)
            and isinstance(link, bytes)
            and any(sign(gap_text(first, last, link)) == proof for sign in self._signers.values())
        }
        self._gap_firsts = sorted(self._gaps)

    def _proved_last(self) -> int:
        """The last line that the head knows, when its proof holds; else 0."""
        if self._head is None or not is_head(self._head, self._signers.values()):
            return 0
        return int(self._head[0])

    def _end(self) -> None:
        """The tail: the head and the seals say how far the chain reached."""
        if self._until < 2**62:
            return
        reached = self._proved_last()
        if not reached and (self._head is not None or self._lines):
            self._tell("head-forged", self._last_id, self._last_id, self._last_at, None)
        if reached == self._last_id and self._head is not None and self._link != self._head[1]:
            self._other_end(self._head[1])
        sealed = max(self._seal_by_id, default=0)
        known = max(reached, sealed)
        if known > self._last_id:
            at = self._seal_by_id[sealed].at if sealed > self._last_id else self._last_at
            self._tell("deleted", self._last_id + 1, known, at, None)
        # The newest seal may not have reached its file when the gateway was killed.
        unknown = sorted(self._sealed_lines - set(self._seal_by_id))
        newest = max(self._sealed_lines, default=0)
        for line_id in unknown:
            if line_id != newest and line_id <= reached:
                self._tell("seal-missing", line_id, line_id, 0.0, None)

    def _other_end(self, proved: bytes) -> None:
        """The chain does not end with the link that was proved: the last lines are others, or in another order."""
        if self._late is not None and self._ordered(*self._late) == proved:
            told = self._damage.pop()
            self._tell("reordered", told.first, self._last_id, told.at, None)
        elif not (self._damage and self._damage[-1].last >= self._last_id):
            self._tell("edited", self._last_id, self._last_id, self._last_at, None)

    def _compare_seal(self, line_id: int, link: bytes) -> None:
        if self._seal_by_id[line_id].link != link:
            self._tell("seal-differs", line_id, line_id, self._seal_by_id[line_id].at, None)

    def _tell(self, kind: str, first: int, last: int, at: float, following: int | None) -> None:
        if len(self._damage) >= MOST:
            self._more += 1
            return
        self._damage.append(Damage(kind, first, last, at, following))
