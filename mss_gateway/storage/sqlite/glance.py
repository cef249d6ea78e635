"""A look at the store that ends soon, and what the last whole examination found (OPS-2).

Whatever of `verify --quick` there is time for, on a connection of its own; the next look goes on where this one ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from functools import partial
from pathlib import Path

import apsw
import orjson

from mss_gateway.ports.keeping import Glance, Verified

from .encryption import Cipher, cipher_of
from .engine import Engine, connect, translate
from .options import SqliteOptions
from .segments import Segments
from .verify_bodies import verify_some
from .verify_rows import CHECKS

NOTE = "verified.json"
"""The file beside the database that tells how the last whole examination ended."""

SECONDS = 1.0
"""How long a look takes at most."""

BODIES = 64
"""Newest bodies that are read, and as many others."""

_LARGE = 1024 * 1024  # octets of a body that is left to the whole examination
_STEPS = 10_000  # of SQLite between two looks at the clock


def note_verified(store: Path, findings: int, *, quick: bool) -> None:
    """Write down how a whole examination ended; a disk that refuses it is no reason to lose the answer."""
    path = store / NOTE
    text = orjson.dumps({"at": time.time(), "findings": findings, "quick": quick})
    with contextlib.suppress(OSError):
        new = path.with_suffix(".new")
        new.write_bytes(text)
        os.replace(new, path)


def last_verified(store: Path) -> Verified | None:
    """What was written down; None when there is nothing that can be read."""
    try:
        found = orjson.loads((store / NOTE).read_bytes())
        return Verified(float(found["at"]), int(found["findings"]), bool(found["quick"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def glance(
    options: SqliteOptions, cipher: Cipher | None, first: int, seconds: float = SECONDS
) -> tuple[Glance, int]:
    """Half of the time for rows, from the check number `first` on, half for bodies; and the check to go on with.

    Raises apsw.Error when the database cannot be read.
    """
    ends = time.monotonic() + seconds
    path = options.path
    db = connect(path / "store.db", options)
    segments = Segments(path / "segments", options.segment_limit, options.adopt_from)
    try:
        db.execute("PRAGMA query_only = ON")
        db.use(cipher)
        asked, findings = _rows(db, first, ends - seconds / 2)
        bodies = 0
        for body_id in _sample(db):
            if time.monotonic() >= ends:
                break
            findings += [f"{one.row}: {one.what}" for one in verify_some(db, segments, [body_id])]
            bodies += 1
    finally:
        segments.close()
        db.close()
    # What takes longer than there is time for must not keep the others from being asked.
    following = (first + max(asked, 1)) % len(CHECKS)
    return Glance(asked, len(CHECKS), bodies, tuple(findings), last_verified(path)), following


def _rows(db: apsw.Connection, first: int, ends: float) -> tuple[int, list[str]]:
    """How many checks were answered in time, and what they found twice."""
    findings: list[str] = []
    db.set_progress_handler(lambda: time.monotonic() >= ends, _STEPS)
    try:
        for number in range(len(CHECKS)):
            check = CHECKS[(first + number) % len(CHECKS)]
            rows = {row[0] for row in db.execute(check.sql)}
            if rows:  # between two statements somebody may have been at work
                rows &= {row[0] for row in db.execute(check.sql)}
            findings += [f"{row}: {check.what}" for row in sorted(rows)]
            if time.monotonic() >= ends:
                return number + 1, findings
    except apsw.InterruptError:
        return number, findings
    finally:
        db.set_progress_handler(None)
    return len(CHECKS), findings


def _sample(db: apsw.Connection) -> list[int]:
    """The newest bodies, and some anywhere."""
    last = int(db.execute("SELECT coalesce(max(id), 0) FROM bodies").get)
    newest = f"SELECT id FROM bodies WHERE size <= {_LARGE} ORDER BY id DESC LIMIT {BODIES}"
    found = [int(str(number)) for (number,) in db.execute(newest)]
    for _ in range(BODIES if len(found) == BODIES else 0):
        at = random.randint(1, last)
        for number, size in db.execute(
            "SELECT id, size FROM bodies WHERE id >= ? ORDER BY id LIMIT 1", (at,)
        ):
            if int(str(size)) <= _LARGE:
                found.append(int(str(number)))
    return list(dict.fromkeys(found))


class GlanceRows:
    """The store's method; the store gives the engine."""

    _engine: Engine
    _glanced = 0

    async def glance(self) -> Glance:
        """A look that ends within a second or so; raises `StoreError`."""
        cipher = await self._engine.read(cipher_of)
        look = partial(glance, self._engine.options, cipher, self._glanced)
        try:
            found, self._glanced = await asyncio.to_thread(look)
        except apsw.Error as error:
            raise translate(error) from error
        return found
