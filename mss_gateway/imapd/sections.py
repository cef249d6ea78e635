"""Parts of a message for FETCH: BODY[...] and BINARY[...], read from the store by span (RFC 9051 section 6.4.5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from mss_gateway.mail.imaptext import body_text
from mss_gateway.mail.message import MAX_HEADER, select_fields
from mss_gateway.mail.parttable import PartTable, Span, load_parts, locate_path
from mss_gateway.net.stream import StreamClosed
from mss_gateway.ports.mailboxes import MessageRow
from mss_gateway.protocol.imap import fetching
from mss_gateway.protocol.imap.fetchitems import (
    BinarySection,
    BinarySize,
    BodySection,
    FetchItem,
    Partial,
    SectionText,
)

from .binaries import PIECE, Content
from .session import CommandFailed, Session

_FIELDS = (SectionText.HEADER_FIELDS, SectionText.HEADER_FIELDS_NOT)
UNKNOWN_CTE = b"UNKNOWN-CTE"


def body_form(row: MessageRow) -> bytes:
    """BODY without extension data, from the stored BODYSTRUCTURE."""
    return body_text(row.bodystructure) if row.bodystructure else b"NIL"


def needs_text(item: FetchItem) -> bool:
    """True when an item reads what follows the header."""
    if isinstance(item, BodySection):
        return bool(item.part) or item.text in (SectionText.WHOLE, SectionText.TEXT)
    return isinstance(item, BinarySection | BinarySize)


def check_encodings(row: MessageRow, items: tuple[FetchItem, ...]) -> None:
    """Raise `CommandFailed` for BINARY of an encoding that is not known (RFC 3516 section 4.3)."""
    table: PartTable | None = None
    for item in items:
        if isinstance(item, BinarySection | BinarySize) and item.part:
            table = table or load_parts(row.structure or b"")
            if not Content(table, item.part).known:
                raise CommandFailed("The part's transfer encoding is not known", UNKNOWN_CTE)


class Reader:
    """Sends the sections of one message. `text` is the whole text when it was small enough to come along."""

    def __init__(self, session: Session, row: MessageRow, text: bytes | None) -> None:
        self._session = session
        self._row = row
        self._text = text
        self._table: PartTable | None = None

    async def send(self, item: BodySection | BinarySection | BinarySize) -> None:
        """Queue one item; large ones are streamed."""
        if isinstance(item, BodySection):
            await self._body(item)
        elif isinstance(item, BinarySection):
            await self._binary(item)
        else:
            size, _, _ = await self._content(item.part).measure(self._octets)
            self._session.send(b"%b %d" % (item.label, size))

    def _content(self, path: tuple[int, ...]) -> Content:
        return Content(self._parts(), path)

    async def _binary(self, item: BinarySection) -> None:
        content = self._content(item.part)
        if content.spans is None:
            self._session.send(fetching.nil_item(item.label))
            return
        # The length stands before the octets: a large part is decoded twice rather than kept.
        size, nul, data = await content.measure(self._octets, item.partial)
        self._session.send(fetching.literal_head(item.label, size, binary=nul))
        if data is not None:
            self._session.send(data)
        else:
            await self._pass_on(content.pieces(self._octets, item.partial), size)

    async def _pass_on(self, pieces: AsyncIterator[bytes], total: int) -> None:
        """Send what was announced, with pauses for a slow client."""
        sent = 0
        async for data in pieces:
            self._session.send(data)
            sent += len(data)
            if total > PIECE:
                await self._session.flush()
        if sent < total:
            # Expunged while it was being sent. A client would keep whatever filled the literal up as the message.
            raise StreamClosed

    async def _body(self, item: BodySection) -> None:
        spans = self._spans(item)
        if spans is None:
            self._session.send(fetching.nil_item(item.label))
        elif item.text in _FIELDS:
            # What calls itself the header of a nested message may be as large as the message.
            block = await self._read(_cut_spans(spans, Partial(0, MAX_HEADER)))
            names = [name.encode("utf-8") for name in item.fields]
            chosen = select_fields(block, names, others=item.text is SectionText.HEADER_FIELDS_NOT)
            self._session.send(fetching.literal_item(item.label, _cut(chosen, item.partial)))
        else:
            await self._stream(item.label, _cut_spans(spans, item.partial))

    def _spans(self, item: BodySection) -> tuple[Span, ...] | None:
        what = "HEADER" if item.text in _FIELDS else item.text.value
        if item.part:
            return locate_path(self._parts(), item.part, what)
        row = self._row
        whole = (Span(True, 0, row.header_size), Span(False, 0, row.size - row.header_size))
        return {"": whole, "HEADER": whole[:1], "TEXT": whole[1:]}.get(what)

    def _parts(self) -> PartTable:
        if self._table is None:
            self._table = load_parts(self._row.structure or b"")
        return self._table

    async def _stream(self, label: bytes, spans: Sequence[Span]) -> None:
        total = sum(span.end - span.start for span in spans)
        self._session.send(fetching.literal_head(label, total))
        await self._pass_on(self._pieces(spans), total)

    async def _pieces(self, spans: Sequence[Span]) -> AsyncIterator[bytes]:
        for span in spans:
            for at in range(span.start, span.end, PIECE):
                data = await self._octets(span.in_header, at, min(span.end, at + PIECE))
                if not data:
                    return
                yield data

    async def _read(self, spans: Sequence[Span]) -> bytes:
        return b"".join([await self._octets(span.in_header, span.start, span.end) for span in spans])

    async def _octets(self, in_header: bool, start: int, end: int) -> bytes:
        if in_header:
            return (self._row.header or b"")[start:end]
        if self._text is not None:
            return self._text[start:end]
        return await self._session.mailboxes.read_text(self._row.body_id, start, end - start)


def _cut(data: bytes, partial: Partial | None) -> bytes:
    return data if partial is None else data[partial.offset : partial.offset + partial.length]


def _cut_spans(spans: Sequence[Span], partial: Partial | None) -> list[Span]:
    if partial is None:
        return list(spans)
    kept: list[Span] = []
    skip, left = partial.offset, partial.length
    for span in spans:
        size = span.end - span.start
        start = span.start + min(skip, size)
        skip -= min(skip, size)
        end = min(span.end, start + left)
        left -= end - start
        if end > start:
            kept.append(Span(span.in_header, start, end))
    return kept
