"""What encryption at rest costs: ingest of small and large messages, FETCH and SORT, on against off."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mss_gateway.pipeline.bodies import prepare_body
from mss_gateway.pipeline.spool import Spool, Spooled
from mss_gateway.ports.mailboxes import Viewer
from mss_gateway.ports.records import Delivery, NewBody, Part, Placement, TraceLine
from mss_gateway.protocol.imap.fetchitems import Attribute, BodySection
from mss_gateway.storage.sqlite import EncryptionOptions, SqliteOptions, SqliteStore
from tests.support.store import add_box, inbox

SMALL, LARGE = 4000, 60
ROUNDS = 3
HEAD = (
    b"From: <a@hopital.example>\r\nTo: <b@clinique.example>\r\nSubject: Compte rendu\r\nMessage-ID: <%d@x.example>\r\n"
    b"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n"
)


async def timed(work: Awaitable[object]) -> tuple[float, float]:
    """Seconds on the clock and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    await work
    return time.perf_counter() - wall, time.process_time() - cpu


async def small(store: SqliteStore, box: int, executor: ThreadPoolExecutor) -> None:
    """4 KB messages, 64 at a time."""
    text = (b"Le patient va bien, la glycemie est normale.\r\n" * 90)[:4000]
    made = [await prepare_body(HEAD % number, text, executor) for number in range(SMALL)]
    gate = asyncio.Semaphore(64)

    async def one(new: NewBody) -> None:
        async with gate:
            await store.accept(delivery(new, box))

    await asyncio.gather(*map(one, made))


def delivery(new: NewBody, box: int) -> Delivery:
    """One message into INBOX."""
    return Delivery((Part(new, 1.79e9, (Placement(box),)),), trace=(TraceLine(1.79e9, "accepted", "t"),))


async def large(
    store: SqliteStore, box: int, executor: ThreadPoolExecutor, folder: Path, *, sealed: bool
) -> None:
    """1 MB messages through the spool, 4 at a time."""
    piece = (b"TWFuIGlzIGRpc3Rpbmd1aXNoZWQ=" * 3 + b"\r\n") * 780
    gate = asyncio.Semaphore(4)

    async def one(number: int) -> None:
        async with gate:
            spool = Spool(folder / f"s{number}", executor, sealed=sealed)
            await spool.add(HEAD % number)
            for _ in range(16):
                await spool.add(piece)
            found = await spool.finish()
            assert isinstance(found, Spooled)
            await store.accept(delivery(await prepare_body(found.header, found.text, executor), box))

    await asyncio.gather(*map(one, range(LARGE)))


async def fetch(store: SqliteStore, folder_id: int, item: object) -> None:
    """One item of all small messages, as IMAP reads it."""
    for first in range(1, SMALL + 1, 100):
        numbers = list(range(first, first + 100))
        await store.lines(folder_id, Viewer(1), numbers, numbers, (Attribute.UID, item))  # type: ignore[arg-type]


async def fetch_large(store: SqliteStore, folder_id: int) -> None:
    """All large texts in pieces."""
    rows = await store.rows(folder_id, Viewer(1), list(range(SMALL + 1, SMALL + LARGE + 1)), frozenset())
    for row in rows:
        for at in range(0, row.size, 262_144):
            await store.read_text(row.body_id, at, 262_144)


async def run(folder: Path, *, sealed: bool) -> dict[str, tuple[float, float]]:
    """All measurements of one store."""
    keys = folder.parent / f"{folder.name}.keys"
    keys.touch(0o600)
    keys.write_bytes(os.urandom(32).hex().encode())
    store = SqliteStore(SqliteOptions(folder, encryption=EncryptionOptions(True, keys) if sealed else None))
    await store.open()
    box = (await add_box(store)).id
    folder_id = await inbox(store, box)
    found = {}
    with ThreadPoolExecutor(4) as executor:
        found["ingest 4 KB"] = await timed(small(store, box, executor))
        found["ingest 1 MB"] = await timed(large(store, box, executor, folder, sealed=sealed))
    found["FETCH BODY[] 4 KB"] = await timed(fetch(store, folder_id, BodySection(b"BODY[]", peek=True)))
    found["FETCH ENVELOPE"] = await timed(fetch(store, folder_id, Attribute.ENVELOPE))
    found["FETCH FLAGS"] = await timed(fetch(store, folder_id, Attribute.FLAGS))
    found["FETCH 1 MB"] = await timed(fetch_large(store, folder_id))
    uids = list(range(1, SMALL + 1))
    found["SORT SUBJECT"] = await timed(store.sort_rows(folder_id, uids, envelopes=False))
    await store.close()
    return found


def main() -> None:
    """Off and on in turn; the best of each."""
    best: dict[bool, dict[str, tuple[float, float]]] = {False: {}, True: {}}
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        for turn in range(ROUNDS):
            for sealed in (False, True):
                found = asyncio.run(run(Path(folder) / f"{turn}-{sealed}", sealed=sealed))
                for name, seconds in found.items():
                    known = best[sealed].get(name, seconds)
                    best[sealed][name] = (min(known[0], seconds[0]), min(known[1], seconds[1]))
    print(f"{'':20}{'off':>10}{'on':>10}{'ratio':>8}{'CPU ratio':>11}")
    for name, (wall, cpu) in best[False].items():
        on, on_cpu = best[True][name]
        print(f"{name:20}{wall:9.3f}s{on:9.3f}s{on / wall:8.2f}{on_cpu / cpu:11.2f}")


if __name__ == "__main__":
    main()
