"""URLs of CATENATE (RFC 4469): octets of a stored message, streamed into the message that is being made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from mss_gateway.mail.message import select_fields
from mss_gateway.mail.parttable import Span, load_parts, locate_path
from mss_gateway.ports.mailboxes import Folder, MessageRow, NoSuchFolder, Want
from mss_gateway.protocol.imap.fetchitems import SectionText
from mss_gateway.protocol.imap.urls import MessageUrl, parse_url

from .names import find
from .rights import require
from .session import CommandFailed, Session

PIECE = 256 * 1024  # octets read from the store at a time
MAX_FIELDS_BLOCK = 256 * 1024  # octets of a header of which fields are chosen
_FIELDS = (SectionText.HEADER_FIELDS, SectionText.HEADER_FIELDS_NOT)

Take = Callable[[bytes], Awaitable[None]]
"""Where the octets go."""


def _bad_url(url: bytes) -> CommandFailed:
    shown = bytes(octet if 0x20 <= octet < 0x7F and octet != 0x5D else 0x3F for octet in url[:400])
    return CommandFailed(
        "The URL names nothing that can be read here", b'BADURL "%b"' % shown.replace(b'"', b"?")
    )


async def send_url(session: Session, url: bytes, room: int, take: Take) -> None:
    """Give the octets behind a URL to `take`.

    Raises `CommandFailed` with BADURL when there are none to read, with TOOBIG when they are more than `room`.
    """
    try:
        wanted = parse_url(url)
    except ValueError:
        raise _bad_url(url) from None
    try:
        row = await _row(session, wanted)
        spans = None if row is None else _spans(wanted, row)
    except (CommandFailed, NoSuchFolder):
        raise _bad_url(url) from None
    if row is None or spans is None:
        raise _bad_url(url)
    if wanted.section.text in _FIELDS:
        await _send_fields(session, wanted, row, spans, take)
        return
    spans = _cut(spans, wanted.offset, wanted.length)
    if sum(span.end - span.start for span in spans) > room:
        raise CommandFailed("The message would be too large", b"TOOBIG")
    for span in spans:
        for at in range(span.start, span.end, PIECE):
            end = min(span.end, at + PIECE)
            data = await _octets(session, row, span.in_header, at, end)
            if len(data) != end - at:
                raise _bad_url(url)  # expunged while it was being read
            await take(data)


async def _send_fields(
    session: Session, wanted: MessageUrl, row: MessageRow, spans: list[Span], take: Take
) -> None:
    if sum(span.end - span.start for span in spans) > MAX_FIELDS_BLOCK:
        raise CommandFailed("The header is too large to choose fields of it", b"TOOBIG")
    block = b"".join([await _octets(session, row, *span) for span in spans])
    names = [name.encode("utf-8") for name in wanted.section.fields]
    chosen = select_fields(block, names, others=wanted.section.text is SectionText.HEADER_FIELDS_NOT)
    end = None if wanted.length is None else wanted.offset + wanted.length
    await take(chosen[wanted.offset : end])


async def _row(session: Session, wanted: MessageUrl) -> MessageRow | None:
    folder: Folder
    if wanted.mailbox is None:
        if session.selected is None:
            return None
        folder, viewer = session.selected.folder, session.selected.viewer
    else:
        box, folder = await find(session, wanted.mailbox)
        await require(session, box, folder, "r")
        viewer = session.viewer(box)
    if wanted.uid_validity not in (None, folder.uid_validity):
        return None
    rows = await session.mailboxes.rows(
        folder.id, viewer, [wanted.uid], frozenset({Want.HEADER, Want.STRUCTURE})
    )
    return rows[0] if rows else None


def _spans(wanted: MessageUrl, row: MessageRow) -> list[Span] | None:
    section = wanted.section
    what = "HEADER" if section.text in _FIELDS else section.text.value
    found = locate_path(load_parts(row.structure or b""), section.part, what)
    return None if found is None else list(found)


def _cut(spans: Iterable[Span], offset: int, length: int | None) -> list[Span]:
    """The stretch of `length` octets from `offset` on."""
    kept: list[Span] = []
    for span in spans:
        size = span.end - span.start
        skipped = min(offset, size)
        offset -= skipped
        taken = size - skipped if length is None else min(size - skipped, length)
        if length is not None:
            length -= taken
        if taken:
            kept.append(Span(span.in_header, span.start + skipped, span.start + skipped + taken))
    return kept


async def _octets(session: Session, row: MessageRow, in_header: bool, start: int, end: int) -> bytes:
    if in_header:
        return (row.header or b"")[start:end]
    return await session.mailboxes.read_text(row.body_id, start, end - start)
