"""Whether the functional trace can still be shown as evidence: its chain, its seals, its key (OPS-2, AUD-1)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Protocol

from mss_gateway.observe.durable import mode_of, open_to_others
from mss_gateway.observe.figures import Gauge
from mss_gateway.pipeline.auditing import NEWEST, Looked
from mss_gateway.ports.audit import Audit
from mss_gateway.ports.store import StoreError

from .doctor import Check, Verdict

HOUR = 3600.0
LATE = 2.0
"""So many times the time between two seals is too long without one."""

_DAMAGED = "copy the whole state folder before anything else, then run `mss-gateway audit verify`; it tells every place"
_KEY_LOST = "put it back from where its copy is kept before the gateway is started again; without it no line is proved"


class Watched(Protocol):
    """Who goes through the chain in the background, and what was seen."""

    looked: Looked

    async def verify(self, last: int = 0) -> Looked:
        """Go through the newest lines."""


class AuditHealth:
    """Examines the chain: the newest lines now, all of them as they were seen last."""

    def __init__(self, store: Audit, watched: Watched, seal_seconds: float, key: Path) -> None:
        self._store = store
        self._watched = watched
        self._seal_seconds = seal_seconds
        self._key = key

    async def examine(self) -> Sequence[Check]:
        """Key, chain, newest seal; without the key nothing else can be told."""
        key = await asyncio.to_thread(self._examine_key)
        if key.verdict is Verdict.BAD:
            return [key]
        try:
            return [await self._chain(), await self._seal(), key]
        except (StoreError, OSError) as error:
            step = "see whether the store and the files beside audit.key can be read"
            return [Check("audit chain", Verdict.BAD, f"cannot be read: {type(error).__name__}", step), key]

    def _examine_key(self) -> Check:
        try:
            mode = mode_of(self._key)
            with self._key.open("rb") as file:
                file.read(1)
        except FileNotFoundError:
            return Check("audit key", Verdict.BAD, f"{self._key} is not there", _KEY_LOST)
        except OSError as error:
            step = f"give {self._key} back to the user of the gateway, mode 0600"
            return Check("audit key", Verdict.BAD, f"{self._key} cannot be read: {error.strerror}", step)
        if open_to_others(mode):
            step = f"`chmod 0600 {self._key}`: who reads it can write a chain that holds"
            return Check("audit key", Verdict.DOUBT, f"others may read or change it (mode {mode:04o})", step)
        return Check("audit key", Verdict.GOOD, f"{self._key.name}, mode {mode:04o}")

    async def _chain(self) -> Check:
        looked = await self._watched.verify(last=NEWEST)
        if looked.findings:
            evidence = f"{looked.findings} damaged places, the first one at line {looked.line}"
            return Check("audit chain", Verdict.BAD, evidence, _DAMAGED)
        lines = await self._store.last_line()
        whole = (
            f"all were verified {(time.time() - looked.whole_at) / HOUR:.1f} hours ago"
            if looked.whole_at
            else "all are verified ten minutes after the start, then once a day"
        )
        if lines <= NEWEST:
            return Check("audit chain", Verdict.GOOD, f"every line up to number {lines} is as it was written")
        evidence = f"the newest {NEWEST} of the lines up to number {lines} are as they were written; {whole}"
        return Check("audit chain", Verdict.GOOD, evidence)

    async def _seal(self) -> Check:
        seal, waiting = await self._store.newest_seal(), await self._store.unsealed()
        since = f", {waiting} lines since"
        if seal is None:
            return Check(
                "audit seal", Verdict.GOOD, f"none was set yet{since}: the first one comes by itself"
            )
        age = max(0.0, time.time() - seal.at)
        evidence = f"the newest one is {age / HOUR:.1f} hours old{since}"
        if waiting and age > LATE * self._seal_seconds:
            step = "look into the log for `store-fault`: a running gateway seals every audit.seal_minutes"
            return Check("audit seal", Verdict.DOUBT, evidence, step)
        return Check("audit seal", Verdict.GOOD, evidence)

    async def gauges(self) -> Sequence[Gauge]:
        """Damage as it was seen last, and the age of the newest seal, which is infinite where there is none."""
        found = [
            Gauge(
                "mss_audit_damaged",
                "Damaged places of the trace's chain, as the last verification saw it",
                self._watched.looked.findings,
            )
        ]
        try:
            seal = await self._store.newest_seal()
        except (StoreError, OSError):  # the doctor tells why
            return found
        age = max(0.0, time.time() - seal.at) if seal is not None else inf
        return [*found, Gauge("mss_audit_seal_age_seconds", "Age of the newest seal of the trace", age)]
