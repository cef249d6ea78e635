"""Whether the store can be written and has room (OPS-2)."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from mss_gateway.ports.records import TraceLine
from mss_gateway.ports.store import StoreError, Trace

from .doctor import Check, Verdict

SHORT = 0.05
"""Share of the disk that should stay free."""

OUT = 256 * 1024 * 1024
"""Octets free below which mail may be refused at any moment."""


class StoreHealth:
    """Examines the store and its disk."""

    def __init__(self, trace: Trace, folder: Path) -> None:
        self._trace = trace
        self._folder = folder

    async def examine(self) -> Sequence[Check]:
        """One durable write, and the room left."""
        return [await self._writes(), self._room()]

    async def _writes(self) -> Check:
        started = time.perf_counter()
        try:
            await self._trace.write_trace([TraceLine(time.time(), "examined", "", actor="doctor")])
        except StoreError as error:
            step = "make room or mend the disk: mail is refused for the time being, and nothing is lost"
            return Check("store", Verdict.BAD, f"cannot be written: {error}", step)
        took = (time.perf_counter() - started) * 1000
        return Check("store", Verdict.GOOD, f"written durably in {took:.1f} ms")

    def _room(self) -> Check:
        try:
            room = shutil.disk_usage(self._folder)
        except OSError as error:
            step = "check store.path and the rights of its folder"
            return Check("disk", Verdict.BAD, f"{self._folder}: {error.strerror}", step)
        evidence = f"{room.free / 1e9:.1f} GB free of {room.total / 1e9:.1f} GB"
        if room.free < OUT:
            return Check("disk", Verdict.BAD, evidence, "make room now: mail is about to be refused")
        if room.free < room.total * SHORT:
            return Check("disk", Verdict.DOUBT, evidence, "make room, or move the store to a larger disk")
        return Check("disk", Verdict.GOOD, evidence)
