"""A fault in the directory's watch: it goes on, but does not hurry (RTE-4)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mss_gateway.directory.options import DirectoryOptions
from mss_gateway.directory.watch import AFTER_FAULT, POLL, AnnuaireWatch
from mss_gateway.observe.figures import Figures
from mss_gateway.observe.log import Log, LogOptions


class Annuaire:
    """Cannot be opened the first time."""

    opened = 0

    async def open(self) -> None:
        """What the watch asks first."""
        self.opened += 1
        if self.opened == 1:
            raise OSError(28, "full")


@pytest.mark.req("RTE-4")
async def test_after_a_fault_the_publisher_is_left_in_peace_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then all is as before."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            raise asyncio.CancelledError

    annuaire: Any = Annuaire()
    watch = AnnuaireWatch(
        DirectoryOptions(tmp_path), annuaire, Log(LogOptions("console", "error"), Figures())
    )
    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await watch.run()
    assert pauses == [AFTER_FAULT, POLL]
