"""The copy in force, read in a thread of its own; a new copy is taken up by itself (BAL-1).

Readers hold the file that they opened: an import that puts another in its place disturbs nobody.
"""

from __future__ import annotations

import asyncio
import functools
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import apsw

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import parse_address
from mss_gateway.rules.facts import Listed

from .columns import SEPARATOR
from .copies import Copies
from .entry import Found, Record, Wanted, listed_of, record_of
from .importing import Meta, read_meta
from .problems import DirectoryProblem
from .seen import Seen
from .words import DEPARTMENT, MAX_WORDS, PROFESSION, TOWN, TYPE, bare, questions, town_words, words

CACHED = 20_000
"""Addresses whose listing is remembered, known or unknown; about 8 MB when full."""

PATIENCE = 0.2
"""Seconds that a message waits for the directory's word on its sender."""

MAX_FOUND = 1000
"""Rows of one answer."""

COMMON = 20_000
"""Rows from which on a word is common."""

T = TypeVar("T")
_ENTRY = "SELECT line FROM entry WHERE id = ?"
_Mark = tuple[int, int, int] | None


class Annuaire:
    """The national directory: listings of addresses for the line, search for people."""

    def __init__(self, copies: Copies) -> None:
        self._copies = copies
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="annuaire")
        self._base: apsw.Connection | None = None
        self._mark: _Mark = None
        self._meta: Meta | None = None
        self._seen = Seen(copies.seen)
        self._listed: dict[str, Listed | None] = {}
        self._idle = False  # neither copy nor anything seen: nothing to look up

    async def open(self) -> Meta | None:
        """Take up the copy in force, or the one that has come in its place; what it says of itself."""
        return await self._do(self._refresh)

    async def close(self) -> None:
        """Let go of everything."""
        await self._do(self._let_go)
        self._thread.shutdown(wait=True)

    @property
    def meta(self) -> Meta | None:
        """What the copy that is open says of itself."""
        return self._meta

    async def listed(self, key: str) -> Listed | None:
        """The directory's word on an address key; what was answered once is remembered. Never raises."""
        if self._idle:
            return None
        remembered = self._listed  # another copy that comes in force meanwhile begins a new one
        try:
            return remembered[key]
        except KeyError:
            pass
        try:
            # A search of somebody's before it in the thread may take seconds: the message does not wait for it.
            looking = asyncio.ensure_future(self._do(functools.partial(self._look_up, key)))
            done, _ = await asyncio.wait((looking,), timeout=PATIENCE)
            if not done:
                looking.add_done_callback(_seen)
                return None
            found = looking.result()
        except (apsw.Error, DirectoryProblem, OSError):
            return None  # mail goes on without it; `directory status` and the doctor tell
        if len(remembered) >= CACHED:
            remembered.pop(next(iter(remembered)), None)
        remembered[key] = found
        return found

    async def rows(self, address: str) -> list[Record]:
        """Every row of one address, and what was seen online when there is none; raises `DirectoryProblem`."""
        key = _key(address)
        return await self._do(functools.partial(self._rows, key))

    async def search(self, wanted: Wanted) -> Found:
        """Rows that fit; raises `DirectoryProblem` for an empty question or an absent copy."""
        return await self._do(functools.partial(self._search, wanted))

    async def export(self, wanted: Wanted, most: int) -> list[str]:
        """The first `most` rows that fit, as they are kept, in the order of the file; raises `DirectoryProblem`."""
        return await self._do(functools.partial(self._export, wanted, most))

    async def of_domains(self, domains: Sequence[str]) -> list[tuple[str, str]]:
        """Key and type of every row of these domains, by address; raises `DirectoryProblem` without a copy."""
        return await self._do(functools.partial(self._of_domains, domains))

    async def see(self, records: list[Record], now: float) -> None:
        """Remember what the national API said of addresses."""
        await self._do(functools.partial(self._seen.put, records, now))
        self._listed = {}
        self._idle = False

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _refresh(self) -> Meta | None:
        """In the thread: open what is in force now, unless it is open already."""
        mark = _mark_of(self._copies)
        if mark != self._mark:
            self._let_go()
            if mark is not None:
                self._base, self._meta = _opened(self._copies)
            self._mark = mark
            self._listed = {}
        self._idle = self._base is None and self._seen.is_empty()
        return self._meta

    def _let_go(self) -> None:
        if self._base is not None:
            self._base.close()
        self._base, self._meta, self._mark = None, None, None
        self._seen.close()

    def _look_up(self, key: str) -> Listed | None:
        meta = self._refresh()
        if self._base is not None and meta is not None:
            for (line,) in self._base.execute(
                "SELECT line FROM entry WHERE key = ? ORDER BY id LIMIT 1", (key,)
            ):
                return listed_of(record_of(line), f"annuaire {_day(meta.generated_at)}")
        for record, at in self._seen.of(key)[:1]:
            return listed_of(record, f"annuaire online {_day(at)}")
        return None

    def _rows(self, key: str) -> list[Record]:
        meta = self._refresh()
        found: list[Record] = []
        if self._base is not None and meta is not None:
            source = f"annuaire {_day(meta.generated_at)}"
            lines = self._base.execute(
                "SELECT line FROM entry WHERE key = ? ORDER BY id LIMIT ?", (key, MAX_FOUND)
            )
            found = [record_of(line) | {"source": source} for (line,) in lines]
        seen = [record | {"source": f"annuaire online {_day(at)}"} for record, at in self._seen.of(key)]
        return found or seen

    def _present(self) -> apsw.Connection:
        self._refresh()
        if self._base is None:
            sentence = "there is no copy of the directory here: `mss-gateway directory import FILE` makes one"
            raise DirectoryProblem("directory-absent", sentence)
        return self._base

    def _export(self, wanted: Wanted, most: int) -> list[str]:
        base = self._present()
        terms, marks = words(wanted.words)[:MAX_WORDS], _marks(wanted)
        if not terms and not marks:
            raise DirectoryProblem("directory-question", "say which rows: words, or one of the filters")
        asked = list(questions(terms, marks, lambda term: True))[-1]  # whole words
        rows = sorted(self._matching(asked, most))
        return [line for one in rows for (line,) in base.execute(_ENTRY, (one,))]

    def _search(self, wanted: Wanted) -> Found:
        base = self._present()
        limit = max(1, min(wanted.limit, MAX_FOUND)) + 1
        if "@" in wanted.words and len(wanted.words.split()) == 1:
            try:
                key = _key(wanted.words.strip())
            except DirectoryProblem:
                key = ""  # a part of an address is searched as words
            rows = self._rows(key) if key else []
            if rows:
                return Found(rows[: limit - 1], len(rows) >= limit)
        terms, marks = words(wanted.words)[:MAX_WORDS], _marks(wanted)
        if not terms and not marks:
            raise DirectoryProblem(
                "directory-question", "say what to search for: words, or one of the filters"
            )
        found: dict[int, None] = {}
        for asked in questions(terms, marks, self._is_common):
            if len(found) < limit:
                found.update(dict.fromkeys(self._matching(asked, limit + len(found))))
        rows = [record_of(line) for one in list(found)[:limit] for (line,) in base.execute(_ENTRY, (one,))]
        return Found(rows[: limit - 1], len(rows) >= limit)

    def _of_domains(self, domains: Sequence[str]) -> list[tuple[str, str]]:
        marks = ", ".join("?" * len(domains))
        asked = f"SELECT key, line FROM entry WHERE substr(key, instr(key, '@') + 1) IN ({marks}) ORDER BY key, id"
        rows = self._present().execute(asked, tuple(domains))
        return [(key, line[: line.index(SEPARATOR)]) for key, line in rows]

    def _is_common(self, term: str) -> bool:
        """True when so many rows have this very word that longer ones with this beginning hardly matter."""
        assert self._base is not None
        asked = "SELECT 1 FROM word WHERE word MATCH ? LIMIT 1 OFFSET ?"
        return self._base.execute(asked, (f'"{term}"', COMMON)).fetchone() is not None

    def _matching(self, asked: str, limit: int) -> list[int]:
        assert self._base is not None
        try:
            rows = self._base.execute("SELECT rowid FROM word WHERE word MATCH ? LIMIT ?", (asked, limit))
            return [row for (row,) in rows]
        except apsw.SQLError:  # letters that are younger than the tables of the index
            raise DirectoryProblem(
                "directory-question", "these words cannot be searched for: try others"
            ) from None


def _opened(copies: Copies) -> tuple[apsw.Connection | None, Meta | None]:
    address = f"{copies.current.absolute().as_uri()}?immutable=1"
    try:
        base = apsw.Connection(address, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        base.execute("PRAGMA mmap_size = 1073741824; PRAGMA cache_size = -4096")
        meta = read_meta(base)
    except apsw.Error:
        return None, None
    if meta is None:  # of another version: the next import replaces it
        base.close()
        return None, None
    return base, meta


def _mark_of(copies: Copies) -> _Mark:
    try:
        status = os.stat(copies.current)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _seen(late: asyncio.Future[Listed | None]) -> None:
    """Nobody waits any more; a failure then is no fault of the loop."""
    if not late.cancelled():
        late.exception()


def _key(address: str) -> str:
    try:
        return parse_address(address).key
    except InvalidValue as invalid:
        raise DirectoryProblem("directory-question", f"The address: {invalid.public}") from None


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at))


def _marks(wanted: Wanted) -> list[str]:
    """The filters as the index holds them; raises `DirectoryProblem` for one that cannot be meant."""
    marks: list[str] = []
    for mark, value in (
        (TYPE, wanted.type),
        (PROFESSION, wanted.profession),
        (DEPARTMENT, wanted.department),
    ):
        if value:
            if not bare(value):
                raise DirectoryProblem("directory-question", f"{value!r} is not a code to filter by")
            marks.append(mark + bare(value))
    marks += [f"{TOWN}{word}*" for word in town_words(wanted.place)[:MAX_WORDS]]
    if wanted.place and not town_words(wanted.place):
        marks += words(wanted.place)[:MAX_WORDS]  # a postcode
    if wanted.number:
        number = wanted.number.replace(" ", "")
        if not (number.isascii() and number.isalnum()):
            raise DirectoryProblem(
                "directory-question", "an RPPS is a number of 11 digits (12 with its first 8)"
            )
        marks.append(number.lower())
    return marks
