"""What a backup takes from the mail: ingest alone, then with backups running one after the other, and their ratio.

`python -m bench.backup --gb 10` on a quiet machine; the folder needs three times that room.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import tempfile
import threading
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import apsw

from mss_gateway.ops.control import ask
from mss_gateway.ports.records import Delivery, NewBody, Part, Placement
from mss_gateway.storage.sqlite import SqliteOptions, SqliteStore

from .load import Load, Plan
from .measure import LOOK_SECONDS, summarise
from .messages import Target, build
from .systems import Gateway, remove

ABOUT = "4 KB messages on 8 kept connections, alone and with a backup of the whole store running beside"
AIM = 0.8  # of the rate without a backup
INLINE, LARGE = 20_000, 1_000_000
SHARE = 0.3  # of the octets lie in the database

Row = tuple[str, float]


async def _fill(path: Path, box: int, octets: int) -> None:
    """Random texts, so that no piece is like another one."""
    store = SqliteStore(SqliteOptions(path))
    await store.open()
    left = octets
    try:
        while left > 0:
            size = INLINE if left > octets * (1 - SHARE) else LARGE
            count = max(1, min(200, left // size)) if size == INLINE else 8
            await asyncio.gather(*(store.accept(_delivery(box, size)) for _ in range(count)))
            left -= count * size
    finally:
        await store.close()


def _delivery(box: int, size: int) -> Delivery:
    header = f"Message-ID: <{os.urandom(8).hex()}@bench.example>\r\nSubject: bench\r\n\r\n".encode()
    text = os.urandom(size)
    digest = sha256(sha256(header).digest() + sha256(text).digest()).digest()
    body = NewBody(header, text, len(header) + size, digest, b"NIL", b"NIL", b"\x01")
    return Delivery((Part(body, time.time(), (Placement(box, "Archive"),), ()),), trace=())


class Backups:
    """Backups one after the other, each into an empty folder, until told to stop."""

    def __init__(self, control: Path, target: Path, rate: int) -> None:
        self.control, self.target, self.rate = control, target, rate
        self.seconds: list[float] = []
        self.octets = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Backups:
        self._thread.start()
        return self

    def __exit__(self, *how: Any) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            shutil.rmtree(self.target, ignore_errors=True)
            self.once()

    def once(self, **arguments: Any) -> dict[str, Any]:
        """One backup to its end; raises RuntimeError when it fails."""
        began = time.monotonic()
        ask(self.control, "backup.start", {"target": str(self.target), "rate": self.rate, **arguments})
        while (now := ask(self.control, "keeping.progress", {}))["running"]:
            time.sleep(0.2)
        if now["problem"]:
            raise RuntimeError(now["problem"])
        self.seconds.append(time.monotonic() - began)
        self.octets = now["result"]["octets"]
        return dict(now["result"])


def _rate(target: Target, seconds: float, tag: str, most: int) -> float:
    """Accepted messages in a second."""
    load = Load(target, build(target, most, 4096, tag), Plan(seconds=seconds))
    load.go()
    while not load.wait(LOOK_SECONDS):
        pass
    figures = summarise(load.started, load.shares)
    return float(figures.accepted_per_s)


def measure(folder: Path, gigabytes: float, seconds: float, rate: int) -> list[Row]:
    """Fill, measure alone and beside backups, then an incremental one and a verify."""
    gateway = Gateway(folder / "gateway")
    gateway.start()
    gateway.stop()
    (store,) = (path.parent for path in folder.rglob("store.db"))
    box = next(apsw.Connection(str(store / "store.db")).execute("SELECT box_id FROM folders LIMIT 1"))[0]
    began = time.monotonic()
    asyncio.run(_fill(store, box, int(gigabytes * 1e9)))
    rows: list[Row] = [("fill, s", time.monotonic() - began)]
    target = gateway.start()
    try:
        (control,) = folder.rglob("*.sock")
        most = int(seconds * 3000)
        alone = [_rate(target, seconds, "alone-1", most)]
        with Backups(control, folder / "backups", rate) as backups:
            time.sleep(1)
            beside = _rate(target, seconds, "beside", most)
        alone.append(_rate(target, seconds, "alone-2", most))
        mean = sum(alone) / len(alone)
        rows += [("ingest alone, /s", one) for one in alone]
        rows += [("ingest beside a backup, /s", beside), ("ratio (aim 0.8)", beside / mean)]
        longest = max(backups.seconds)
        rows += [("backup of the whole, s", longest), ("backup, MB/s", backups.octets / 1e6 / longest)]
        again = backups.once()
        rows += [
            ("second backup, s", backups.seconds[-1]),
            ("second backup wrote, MB", again["written"] / 1e6),
        ]
        ask(control, "verify.start", {"rate": rate})
        began = time.monotonic()
        while (now := ask(control, "keeping.progress", {}))["running"]:
            time.sleep(0.2)
        rows += [("verify, s", time.monotonic() - began), ("findings", float(len(now["result"]["findings"])))]
    finally:
        gateway.stop()
    return rows


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=ABOUT)
    parser.add_argument("--gb", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each measurement")
    parser.add_argument(
        "--rate", type=int, default=0, help="octets in a second of a backup; 0 is the default pace"
    )
    parser.add_argument("--folder", type=Path, help="on the disk to be measured")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-backup-", dir=chosen.folder))
    try:
        for name, value in measure(folder, chosen.gb, chosen.seconds, chosen.rate):
            print(f"{name:32} {value:12.2f}", flush=True)
    finally:
        remove(folder)


if __name__ == "__main__":
    main()
