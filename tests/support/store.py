"""Makes bodies, deliveries and boxes for the store's contract, and opens each back end."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from mss_gateway.mail.address import parse_address
from mss_gateway.mail.envelope import Recipient
from mss_gateway.ports.mailboxes import Folder, NewAppend, Snapshot, Viewer, Want
from mss_gateway.ports.records import (
    INBOX,
    BoxRow,
    Delivery,
    NewBody,
    NewBox,
    OutboxEntry,
    Part,
    Placement,
    SpoolFile,
    TraceLine,
)
from mss_gateway.ports.store import Store
from mss_gateway.rules.facts import BoxType
from mss_gateway.storage.sqlite import EncryptionOptions, SqliteOptions, SqliteStore

NOW = 1_790_000_000.0
ANYONE = Viewer(person_id=0)
EVERYTHING = frozenset(Want)
_numbers = itertools.count(1)


@dataclass(frozen=True)
class BackEnd:
    """One implementation of the port: `build(folder)` makes a closed store over the data in that folder."""

    name: str
    build: Callable[[Path], Store]
    build_small: Callable[[Path], Store]


def sqlite_options(
    folder: Path, *, encryption: EncryptionOptions | None = None, **changes: int
) -> SqliteOptions:
    """Small limits, so that every kind of body storage, and entries of the trace, are met with little data."""
    limits: dict[str, Any] = {"inline_limit": 2000, "segment_limit": 40_000, "adopt_from": 10_000}
    return SqliteOptions(folder, encryption=encryption, **(limits | {"trace_waiting": 3} | changes))


def sealing(
    folder: Path, keys: bytes = b"k1 " + b"11" * 32 + b"\n", *, seals: bool = True
) -> EncryptionOptions:
    """Encryption at rest with a ring of keys that lies beside the store."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    ring = folder.parent / f"{folder.name}.keys"
    ring.unlink(missing_ok=True)
    ring.touch(0o600)
    ring.write_bytes(keys)
    return EncryptionOptions(seals, ring)


BACK_ENDS = (
    BackEnd(
        "sqlite",
        lambda folder: SqliteStore(sqlite_options(folder)),
        lambda folder: SqliteStore(sqlite_options(folder, max_pages=200)),
    ),
)
SEALED = BackEnd(
    "sqlite-sealed",
    lambda folder: SqliteStore(sqlite_options(folder, encryption=sealing(folder))),
    lambda folder: SqliteStore(sqlite_options(folder, max_pages=200, encryption=sealing(folder))),
)
"""The same with bodies encrypted at rest."""


def body(
    text: bytes | SpoolFile = b"Bonjour\r\n", subject: str = "essai", message_id: str | None = None
) -> NewBody:
    """A body whose digest is right, with texts that differ from one message to the next."""
    if message_id is None:
        message_id = f"<m{next(_numbers)}@hopital.example>"
    header = f"Message-ID: {message_id}\r\nSubject: {subject}\r\n\r\n".encode()
    octets = (
        text if isinstance(text, bytes) else text.path.read_bytes()[text.offset : text.offset + text.size]
    )
    return NewBody(
        header=header,
        text=text,
        size=len(header) + len(octets),
        digest=digest(header, octets),
        envelope=f'("{message_id}")'.encode(),
        bodystructure=b'("TEXT" "PLAIN")',
        structure=b"\x01" + message_id.encode(),
        message_id=message_id,
        subject_base=subject,
        sent_at=NOW,
    )


def digest(header: bytes, text: bytes) -> bytes:
    """The digest that `NewBody` asks for."""
    return sha256(sha256(header).digest() + sha256(text).digest()).digest()


def trace_line(event: str = "test", message_id: str | None = None) -> TraceLine:
    """A line of the timeline, of a transaction of its own."""
    return TraceLine(NOW, event, f"t{next(_numbers)}", message_id, actor="ops")


def delivery(new: NewBody, *box_ids: int, folder: str = INBOX, outbox: Sequence[str] = ()) -> Delivery:
    """A delivery of one message into one folder of each box, and to the recipients elsewhere."""
    entries = tuple(
        OutboxEntry("dr.martin@hopital.example", Recipient(parse_address(address))) for address in outbox
    )
    part = Part(new, NOW, tuple(Placement(box_id, folder) for box_id in box_ids), entries)
    return Delivery((part,), trace=(trace_line("accepted", new.message_id),))


async def add_box(store: Store, local: str = "accueil", kind: BoxType = BoxType.ORG) -> BoxRow:
    """Provision a box."""
    return await store.add_box(NewBox(f"{local}@hopital.example", kind), trace_line("box-added"))


async def folder_named(store: Store, box_id: int, name: str) -> Folder:
    """The folder of that name; fails when there is none."""
    return next(folder for folder in await store.folders(box_id) if folder.name == name)


async def inbox(store: Store, box_id: int) -> int:
    """The folder id of INBOX."""
    return (await folder_named(store, box_id, INBOX)).id


async def fill(store: Store, folder_id: int, count: int, flags: frozenset[str] = frozenset()) -> list[int]:
    """Append messages and return their UIDs."""
    return await store.append(folder_id, ANYONE, [NewAppend(body(), flags, NOW) for _ in range(count)])


async def uids(store: Store, folder_id: int) -> list[int]:
    """The UIDs of a folder, ascending."""
    return list((await snapshot(store, folder_id)).uids)


async def snapshot(store: Store, folder_id: int) -> Snapshot:
    """What SELECT sees."""
    return await store.snapshot(folder_id, ANYONE)


async def flags_of(store: Store, folder_id: int, viewer: Viewer = ANYONE) -> dict[int, frozenset[str]]:
    """Flags by UID as one viewer sees them."""
    known = list((await store.snapshot(folder_id, viewer)).uids)
    return {row.uid: row.flags for row in await store.rows(folder_id, viewer, known, frozenset())}


async def is_whole(store: Store, folder_id: int, uid: int, expected: bytes) -> bool:
    """True when header and text of a message hash to the digest that was given at delivery."""
    (row,) = await store.rows(folder_id, ANYONE, [uid], EVERYTHING)
    assert row.header is not None
    text = await store.read_text(row.body_id, 0, row.size)
    return len(row.header) + len(text) == row.size and digest(row.header, text) == expected
