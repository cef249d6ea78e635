"""SEARCH and UID SEARCH (RFC 9051 section 6.4.4, RFC 4731, RFC 5182)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from mss_gateway.mail.dates import parse_date
from mss_gateway.mail.message import Header
from mss_gateway.ports.mailboxes import MessageRow, Want
from mss_gateway.protocol.imap import Ending, Request, responses
from mss_gateway.protocol.imap.commands import Search
from mss_gateway.protocol.imap.matching import Column, columns, compile_search, uses_modseq

from .plaintext import readable_text
from .session import Session
from .sync import sync

BATCH = 500  # messages of one hop
TEXT_BATCH = 50  # messages of one hop when their bodies are searched
TEXT_LIMIT = 8 * 1024 * 1024  # octets of one text that a search reads


@dataclass(slots=True)
class Found:
    """One message as `matching` sees it."""

    row: MessageRow
    number: int
    body: bytes = b""
    uid: int = field(init=False)
    flags: frozenset[str] = field(init=False)
    modseq: int = field(init=False)
    internal_date: float = field(init=False)
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.uid = self.row.uid
        self.flags = self.row.flags
        self.modseq = self.row.modseq
        self.internal_date = self.row.internal_date
        self.size = self.row.size

    def header(self) -> bytes:
        """The header block."""
        return self.row.header or b""

    def sent_at(self) -> float | None:
        """The Date header."""
        date = Header(self.row.header or b"").first(b"date")
        return parse_date(date) if date else None

    def forget(self) -> None:
        """Let the octets go; what identifies the message stays."""
        self.body = b""
        self.row = replace(self.row, header=None, structure=None)

    def texts(self) -> str:
        """The text parts, decoded."""
        return readable_text(self.row, self.body)


async def search(session: Session, request: Request) -> None:
    """Evaluate in batches; other sessions run in between."""
    command = request.command
    assert isinstance(command, Search)
    modseq_asked = uses_modseq(command.key)
    if modseq_asked:
        session.condstore = True
    matches = await _matches(session, command)
    uids = [found.uid for found in matches]
    if "SAVE" in command.returns:
        session.folder.view.save(_saved(uids, command.returns))
    numbers = uids if command.uid else [found.number for found in matches]
    highest = max((found.modseq for found in matches), default=0) if modseq_asked else None
    shown = command.returns - {"SAVE"}
    if command.extended or session.rev2:
        if shown or not command.returns:
            returns = shown or frozenset({"ALL"})
            session.send(responses.esearch(request.tag, numbers, returns, uid=command.uid, modseq=highest))
    else:
        session.send(responses.search(numbers, highest))
    await sync(session, expunges=command.uid)
    session.core.tagged(Ending.OK, "searched")


def _saved(uids: list[int], returns: frozenset[str]) -> list[int]:
    """What `$` holds: with MIN or MAX and neither ALL nor COUNT only those (RFC 5182 section 2.4)."""
    if not uids or returns & {"ALL", "COUNT"} or not returns & {"MIN", "MAX"}:
        return uids
    return [uid for uid, name in ((uids[0], "MIN"), (uids[-1], "MAX")) if name in returns]


async def _matches(session: Session, command: Search) -> list[Found]:
    selected = session.folder
    view = selected.view
    wanted = columns(command.key)
    texts = Column.TEXT in wanted
    want = set()
    if wanted:
        want.add(Want.HEADER)
    if texts:
        want.add(Want.STRUCTURE)
    match = compile_search(command.key, last_number=len(view), last_uid=view.last_uid, saved=view.saved)
    matches: list[Found] = []
    uids = list(view.uids)
    size = TEXT_BATCH if texts else BATCH
    for at in range(0, len(uids), size):
        batch = uids[at : at + size]
        rows = await session.mailboxes.rows(selected.folder.id, selected.viewer, batch, frozenset(want))
        for group in _groups(rows) if texts else [rows]:
            bodies: dict[int, bytes] = {}
            if texts:
                bodies = await session.mailboxes.read_texts([row.body_id for row in group], TEXT_LIMIT)
            for row in group:
                number = view.number(row.uid)
                if number is None:
                    continue
                found = Found(row, number, bodies.get(row.body_id, b""))
                if match(found):
                    found.forget()
                    matches.append(found)
    return matches


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
        held += size if size <= TEXT_LIMIT else 0
    if group:
        yield group
