"""Whole messages for the store, and the scan that a text index is held against."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from mss_gateway.mail.message import Header, split_message
from mss_gateway.mail.parttable import dump_parts
from mss_gateway.mail.plaintext import fold_body
from mss_gateway.mail.searchtext import SEPARATOR, fold, fold_header, header_text, header_values
from mss_gateway.mail.spans import Text
from mss_gateway.mail.structure import scan_structure
from mss_gateway.ports.mailboxes import NewAppend, Want
from mss_gateway.ports.records import NewBody
from mss_gateway.ports.store import Store
from mss_gateway.ports.textsearch import BODY, TEXT, TextHits
from tests.support.store import ANYONE, NOW, body, digest, uids


def fold_fields(header: bytes, field: str) -> list[str]:
    """The folded values of every field of that name (lower case)."""
    return [fold(header_text(value)) for value in header_values(header, field)]


def whole_body(message: bytes) -> NewBody:
    """A message as the store takes it, with its true part table."""
    at = split_message(message)
    header, text = message[:at], message[at:]
    structure = dump_parts(scan_structure(Header(header), Text(text)), len(header), len(text))
    return replace(
        body(text), header=header, size=len(message), digest=digest(header, text), structure=structure
    )


async def put(store: Store, folder_id: int, *messages: bytes) -> list[int]:
    """Append messages; return their UIDs."""
    return await store.append(
        folder_id, ANYONE, [NewAppend(whole_body(message), frozenset(), NOW) for message in messages]
    )


async def scan(store: Store, folder_id: int, field: str, needle: str) -> set[int]:
    """What a search of the messages themselves finds: the definition."""
    found = set()
    wanted = frozenset({Want.HEADER, Want.STRUCTURE})
    for row in await store.rows(folder_id, ANYONE, await uids(store, folder_id), wanted):
        assert row.header is not None
        assert row.structure is not None
        text = await store.read_text(row.body_id, 0, row.size)
        body_text = fold_body(row.header, row.structure, text)
        if field == TEXT:
            holds = needle in fold_header(row.header) or needle in body_text
        elif field == BODY:
            holds = needle in body_text
        else:
            holds = needle in SEPARATOR.join(fold_fields(row.header, field))
        if holds:
            found.add(row.uid)
    return found


async def indexed(store: Store, folder_id: int, field: str = TEXT, needle: str = "a") -> TextHits:
    """The answer of the index once it has everything in the folder."""
    last = max(await uids(store, folder_id), default=0)
    for _ in range(6000):
        hits = await store.find_text(folder_id, field, needle)
        if hits.decided >= last:
            return hits
        await asyncio.sleep(0.01)
    raise TimeoutError


async def settled(holds: Callable[[], bool]) -> None:
    """Wait until something holds; raises `TimeoutError` after a minute and more."""
    for _ in range(6000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError
