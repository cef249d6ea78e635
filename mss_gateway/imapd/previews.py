"""PREVIEW: the first words of messages, made when asked for the first time and kept (RFC 8970)."""

from __future__ import annotations

from dataclasses import replace

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.parttable import load_parts
from mss_gateway.mail.preview import READ, preview_of
from mss_gateway.ports.mailboxes import MessageRow, Want
from mss_gateway.protocol.imap.fetchitems import Attribute, FetchItem

from .session import Selected, Session

TOGETHER = 32  # messages whose texts are in memory at once
_NEEDED = frozenset({Want.HEADER, Want.STRUCTURE})


async def with_previews(
    session: Session, selected: Selected, rows: list[MessageRow], items: tuple[FetchItem, ...]
) -> list[MessageRow]:
    """The rows with their previews when those are asked; new ones are written down with one commit.

    `PREVIEW (LAZY)` takes what is there and what lies in small texts, and leaves large ones without.
    """
    lazy = Attribute.PREVIEW not in items
    if lazy and Attribute.PREVIEW_LAZY not in items:
        return rows
    missing = [row for row in rows if row.preview is None and (not lazy or _is_small(row))]
    if not missing:
        return rows
    made: dict[int, str] = {}
    for at in range(0, len(missing), TOGETHER):
        made |= await _make(session, selected, missing[at : at + TOGETHER])
    if made:
        await session.mailboxes.keep_previews(made)
    return [replace(row, preview=made[row.body_id]) if row.body_id in made else row for row in rows]


def _is_small(row: MessageRow) -> bool:
    return row.size - row.header_size <= READ


async def _make(session: Session, selected: Selected, rows: list[MessageRow]) -> dict[int, str]:
    """Previews by body, of a few messages."""
    mailboxes = session.mailboxes
    uids = [row.uid for row in rows]
    whole = await mailboxes.rows(selected.folder.id, selected.viewer, uids, _NEEDED)
    texts = await mailboxes.read_texts([row.body_id for row in whole if _is_small(row)], READ)
    made: dict[int, str] = {}
    for row in whole:
        text = texts.get(row.body_id)
        if text is None:
            text = await mailboxes.read_text(row.body_id, 0, READ)
        try:
            made[row.body_id] = preview_of(row.header or b"", load_parts(row.structure or b""), text)
        except InvalidValue:
            made[row.body_id] = ""  # the part table is damaged: FETCH of the parts says so
    return made
