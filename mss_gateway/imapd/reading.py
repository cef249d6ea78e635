"""Holds a search key against messages that are read for it, in batches, so that others have their turn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from mss_gateway.mail.message import Header
from mss_gateway.mail.spans import Octets
from mss_gateway.ports.mailboxes import MessageRow, Want
from mss_gateway.ports.store import DamagedBody
from mss_gateway.protocol.imap import objectids
from mss_gateway.protocol.imap.headeronly import HeaderOnly, written_date
from mss_gateway.protocol.imap.matching import (
    Column,
    Match,
    columns,
    compile_search,
    reads_headers_alone,
)
from mss_gateway.protocol.imap.searchkeys import SearchKey

from .fartext import FarText
from .plaintext import readable_text, unfolded_texts
from .progress import Progress
from .session import Selected, Session

BATCH = 500  # messages of one hop
HEADERS = 1_000  # messages of one hop when their headers alone are searched
TEXT_BATCH = 20  # messages of one hop when their bodies are searched
TEXT_LIMIT = 8 * 1024 * 1024  # octets of texts that are read whole and together
LIGHT = 256 * 1024  # octets of texts looked through on the loop; more of them in a thread beside it
_WANTS = {Column.HEADER: Want.HEADER, Column.SENT: Want.HEADER, Column.DIGEST: Want.DIGEST}


@dataclass(slots=True)
class Found:
    """One message as `matching` sees it, and what others sort and thread it by."""

    row: MessageRow
    number: int
    body: bytes | Octets = b""
    uid: int = field(init=False)
    flags: frozenset[str] = field(init=False)
    modseq: int = field(init=False)
    internal_date: float = field(init=False)
    save_date: float = field(init=False)
    size: int = field(init=False)

    def __post_init__(self) -> None:
        row = self.row
        self.uid = row.uid
        self.flags = row.flags
        self.modseq = row.modseq
        self.internal_date = row.internal_date
        self.save_date = row.internal_date if row.save_date is None else row.save_date
        self.size = row.size

    def header(self) -> bytes:
        """The header block."""
        return self.row.header or b""

    def sent_at(self) -> float | None:
        """The Date header, its time as written."""
        date = Header(self.row.header or b"").first(b"date")
        return written_date(date) if date else None

    def texts(self) -> str:
        """The text parts, decoded and folded."""
        return readable_text(self.row, self.body)

    def unfolded(self) -> Iterator[str]:
        """The same, as written."""
        return unfolded_texts(self.row, self.body)

    def email_id(self) -> str:
        """EMAILID."""
        return objectids.email_id(self.row.digest or b"").decode("ascii")

    def thread_id(self) -> str:
        """THREADID."""
        return objectids.thread_id(self.row.thread or 0).decode("ascii")


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads messages of one folder for one search; `progress` hears how far it is."""

    session: Session
    selected: Selected
    progress: Progress | None = None

    async def scan(self, key: SearchKey, universe: list[int]) -> list[int]:
        """The UIDs of the universe for which a settled key holds."""
        with self.session.mailboxes.reading_texts():
            return await self._scan(key, universe)

    async def _scan(self, key: SearchKey, universe: list[int]) -> list[int]:
        view = self.selected.view
        wanted = columns(key)
        texts = Column.TEXT in wanted
        want = {_WANTS[column] for column in wanted if column in _WANTS}
        if texts:
            want |= {Want.HEADER, Want.STRUCTURE}
        match = compile_search(key, last_number=len(view), last_uid=view.last_uid, saved=view.saved)
        if reads_headers_alone(key):
            return await self._scan_headers(match, universe)
        found: list[int] = []
        size = TEXT_BATCH if texts else BATCH
        for at in range(0, len(universe), size):
            if self.progress is not None:
                await self.progress.tick(at, len(universe))
            found += await self._matching(match, universe[at : at + size], frozenset(want), texts=texts)
        return found

    async def _matching(
        self, match: Match, part: list[int], want: frozenset[Want], *, texts: bool
    ) -> list[int]:
        """Those of some messages that match; one that is damaged does not, and keeps no other from its match."""
        session, selected = self.session, self.selected
        try:
            rows = await session.mailboxes.rows(selected.folder.id, selected.viewer, part, want)
            if texts:
                return await self._read(match, rows)
            return [row.uid for row in rows if match(Found(row, 0))]
        except DamagedBody:
            if len(part) == 1:
                return []
            middle = len(part) // 2
            first = await self._matching(match, part[:middle], want, texts=texts)
            return first + await self._matching(match, part[middle:], want, texts=texts)

    async def _read(self, match: Match, rows: list[MessageRow]) -> list[int]:
        """Those of some messages that match, their texts read: small ones together, large ones part by part."""
        mailboxes = self.session.mailboxes
        found: list[int] = []
        for group in _groups(rows):
            weight = sum(row.size - row.header_size for row in group)
            if weight > TEXT_LIMIT:
                candidates = [Found(row, 0, FarText(mailboxes, row)) for row in group]
            else:
                bodies = await mailboxes.read_texts([row.body_id for row in group], TEXT_LIMIT)
                candidates = [Found(row, 0, bodies.get(row.body_id, b"")) for row in group]
            if weight <= LIGHT:
                found += _sift(match, candidates)
            else:
                found += await asyncio.to_thread(_sift, match, candidates)
        return found

    async def _scan_headers(self, match: Match, universe: list[int]) -> list[int]:
        """As `scan`, for keys about the header alone: the next ones are read while these are looked at."""
        found: list[int] = []
        coming = self._headers(universe[:HEADERS])
        try:
            for at in range(0, len(universe), HEADERS):
                if self.progress is not None:
                    await self.progress.tick(at, len(universe))
                headers = await coming
                coming = self._headers(universe[at + HEADERS : at + 2 * HEADERS])
                await asyncio.sleep(0)  # the reading begins now, in its own thread
                found += [uid for uid, header in headers if match(HeaderOnly(header))]
        finally:
            coming.cancel()
        return found

    def _headers(self, uids: list[int]) -> asyncio.Task[list[tuple[int, bytes]]]:
        return asyncio.ensure_future(self.session.mailboxes.headers(self.selected.folder.id, uids))


def _sift(match: Match, candidates: list[Found]) -> list[int]:
    return [one.uid for one in candidates if match(one)]


def _groups(rows: list[MessageRow]) -> Iterator[list[MessageRow]]:
    """Rows whose texts together stay under the limit of one, so that a search of large messages stays flat."""
    group: list[MessageRow] = []
    held = 0
    for row in rows:
        size = row.size - row.header_size
        if group and held + size > TEXT_LIMIT:
            yield group
            group, held = [], 0
        group.append(row)
        held += size
    if group:
        yield group
