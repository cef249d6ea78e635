"""A thread of the store that a fault has ended keeps nobody waiting (RTE-4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mss_gateway.ports.records import TraceLine
from mss_gateway.ports.store import StoreError
from mss_gateway.storage.sqlite import SqliteOptions, SqliteStore
from mss_gateway.storage.sqlite.engine import Engine
from mss_gateway.storage.sqlite.segments import Segments
from tests.support.store import NOW

LINE = TraceLine(NOW, "login", "t1", None, 1)


def breaks(*_: Any, **__: Any) -> Any:
    """What nobody has foreseen."""
    raise KeyboardInterrupt


@pytest.mark.req("RTE-4", "OPS-1")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_who_writes_when_the_writer_ends_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those whose batch it was, those who come after it, and readiness; reading and closing go on."""
    store = SqliteStore(SqliteOptions(tmp_path / "store", index=False))
    await store.open()
    assert store.is_alive
    monkeypatch.setattr(Engine, "_run_batch", breaks)
    for _ in range(3):
        with pytest.raises(StoreError, match="restart the gateway"):
            await store.write_trace([LINE])
    assert not store.is_alive
    assert await store.trace(transaction="t1") == []
    await store.close()


@pytest.mark.req("RTE-4")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_batch_that_cannot_even_be_undone_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails the commit and what takes it back: whoever waits for the commit hears of it."""
    store = SqliteStore(SqliteOptions(tmp_path / "store", index=False))
    await store.open()

    def fails(*_: Any, **__: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Segments, "sync", fails)
    monkeypatch.setattr(Segments, "undo_all", fails)
    for sentence in ("OSError", "restart the gateway"):
        with pytest.raises(StoreError, match=sentence):
            await store.write_trace([LINE])
    assert not store.is_alive
    await store.close()
