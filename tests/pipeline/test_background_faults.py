"""Work in the background goes on after any fault: one that ends would take the whole gateway along (RTE-4)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from mss_gateway.observe.figures import Figures
from mss_gateway.observe.log import Log, LogOptions
from mss_gateway.pipeline import auditing, forgetting, reencryption
from mss_gateway.pipeline.auditing import Auditing, AuditOptions
from mss_gateway.pipeline.forgetting import Forgetting
from mss_gateway.pipeline.reencryption import Reencryption
from mss_gateway.ports.store import StoreFull

pytestmark = pytest.mark.req("RTE-4")


class Faulty:
    """A store in which everything raises; `thrice` is set when it has been asked three times."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.asked = 0
        self.thrice = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        async def fails(*_: object, **__: object) -> None:
            self.asked += 1
            if self.asked == 3:
                self.thrice.set()
            raise self.error

        return fails


@pytest.mark.parametrize("error", [StoreFull("full"), OSError(28, "full"), ValueError("ours")], ids=repr)
@pytest.mark.parametrize("kind", ["auditing", "forgetting", "reencryption"])
async def test_a_fault_is_logged_and_tried_again(
    kind: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it is cancelled."""
    monkeypatch.setattr(auditing, "LOOK", 0.001)
    monkeypatch.setattr(forgetting, "FIRST", 0.001)
    monkeypatch.setattr(forgetting, "PAUSE", 0.001)
    monkeypatch.setattr(reencryption, "AFTER_FAULT", 0.001)
    store: Any = Faulty(error)
    log = Log(LogOptions("console", "error"), Figures())
    work = {
        "auditing": Auditing(store, AuditOptions(), log).run,
        "forgetting": Forgetting(store, 1.0, log).run,
        "reencryption": Reencryption(store, log).run,
    }[kind]
    task = asyncio.create_task(work())
    reached = asyncio.create_task(store.thrice.wait())
    await asyncio.wait([task, reached], timeout=60, return_when=asyncio.FIRST_COMPLETED)
    assert reached.done()
    assert not task.done()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_nothing_is_forgotten_right_after_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that wakes with a wrong clock ends nothing before the clock is set."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        raise asyncio.CancelledError

    store: Any = Faulty(StoreFull("never asked"))
    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await Forgetting(store, 1.0, Log(LogOptions("console", "error"), Figures())).run()
    assert (pauses, store.asked) == ([forgetting.FIRST], 0)
