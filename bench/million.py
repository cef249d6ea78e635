"""One mailbox of a million messages: how long it takes to open, beside one of ten thousand in the same store."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from .imap import Mailbox
from .letters import letters
from .messages import Target
from .processes import pss_mb
from .systems import Gateway

ABOUT = "messages in one mailbox, written straight into the store; a new session each time"
MESSAGES = 1_000_000
FEW = 10_000
TURNS = 7
OPEN_AIM = 1.0  # seconds
HOLES = 997  # every so manieth message of a third mailbox has been expunged


@dataclass(slots=True)
class MillionFigures:
    """Seconds to open each mailbox (median), by its name; memory after all of it."""

    messages: int = 0
    open_s: dict[str, float] = field(default_factory=dict)
    newest_s: float = 0.0
    memory_mb: float = 0.0


def _fill(path: Path, folder: str, count: int, holes: int = 0) -> None:
    """Give a folder of the store, whose gateway does not run, so many messages that share one body."""
    db = apsw.Connection(str(path))
    body, size, folder_id = next(
        db.execute(
            "SELECT b.id, b.size, f.id FROM bodies AS b, folders AS f WHERE f.name = ? LIMIT 1", (folder,)
        )
    )
    columns = [row[1] for row in db.execute("PRAGMA table_info(messages)")]
    values = {
        "folder_id": str(folder_id),
        "uid": "n",
        "body_id": str(body),
        "flags": "n % 2",
        "keywords": "''",
    }
    values |= {"modseq": "2", "created_modseq": "2", "internal_date": "1.7e9 + n", "save_date": "1.7e9 + n"}
    names = [name for name in columns if name in values]
    listed = ", ".join(values[name] for name in names)
    holed = f"FROM messages WHERE folder_id = {folder_id} AND uid % {holes} = 0"
    with db:
        db.execute(
            f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})"
            f" INSERT INTO messages ({', '.join(names)}) SELECT {listed} FROM numbers"
        )
        gone = 0
        if holes:
            db.execute(f"INSERT INTO expunged SELECT folder_id, 3, uid {holed}")
            db.execute(f"DELETE {holed}")
            gone = count // holes
        kept = count - gone
        db.execute(f"UPDATE bodies SET refs = refs + {kept} WHERE id = {body}")
        db.execute(
            "UPDATE folders SET uid_next = ?, messages = ?, octets = ?, highest_modseq = 3 WHERE id = ?",
            (count + 1, kept, kept * size, folder_id),
        )
    db.close()


def run(folder: Path, count: int, say: Callable[[str], None]) -> MillionFigures:
    """Fill three mailboxes of one BAL and open each several times."""
    gateway = Gateway(folder)
    target = gateway.start()
    names = {"Petit": (FEW, 0), "Grand": (count, 0), "Troue": (count, HOLES)}
    try:
        with Mailbox(target) as box:
            for name in names:
                box.command(f"CREATE {name}")
            box.append("Archive", letters(1, target.sender, target.recipient))
        gateway.stop()
        (path,) = (folder / "state").rglob("store.db")
        for name, (number, holes) in names.items():
            say(f"million: filling {name} with {number}")
            _fill(path, name, number, holes)
        target = gateway.start()
        figures = MillionFigures(count)
        for name in names:
            figures.open_s[name] = statistics.median(_opened(target, name) for _ in range(TURNS))
        with Mailbox(target) as box:
            exists = box.exists("Grand")
            before = time.perf_counter()
            box.command(f"FETCH {exists - 19}:* (UID FLAGS ENVELOPE BODYSTRUCTURE)")
            figures.newest_s = time.perf_counter() - before
        figures.memory_mb = pss_mb(gateway.roots())
        return figures
    finally:
        gateway.stop()


def _opened(target: Target, name: str) -> float:
    with Mailbox(target) as box:
        before = time.perf_counter()
        box.command(f"SELECT {name}")
        return time.perf_counter() - before


def table(figures: MillionFigures) -> list[str]:
    """The lines of the case."""
    few, many, holed = (1000 * figures.open_s[name] for name in ("Petit", "Grand", "Troue"))
    verdict = "met" if max(many, holed) <= 1000 * OPEN_AIM else "NOT MET"
    rows = (
        (f"SELECT of {FEW}, ms", few, ""),
        (f"SELECT of {figures.messages}, ms", many, ""),
        ("the same with holes, ms", holed, f"  <= {1000 * OPEN_AIM:g} {verdict}"),
        ("FETCH of its newest 20, ms", 1000 * figures.newest_s, ""),
        ("memory afterwards, PSS, MB", figures.memory_mb, ""),
    )
    return [
        f"\nmillion: {figures.messages} {ABOUT}",
        *(f"  {label:32}{value:>12.1f}{note}" for label, value, note in rows),
    ]
