"""Every back end of the store, one after the other, for every test of the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from mss_gateway.ports.store import Store
from tests.support.disks import disk_of
from tests.support.store import BACK_ENDS, SEALED, BackEnd

OF_BODIES = {
    "test_acceptance",
    "test_fetch_lines",
    "test_crash",
    "test_full",
    "test_objects",
    "test_outbox",
    "test_receipts",
    "test_replace",
    "test_purge",
    "test_takeovers",
}
"""Modules in which the octets of messages matter: they hold for sealed bodies too."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the back ends of a test."""
    if "back_end" in metafunc.fixturenames:
        sealed = metafunc.module.__name__.rpartition(".")[2] in OF_BODIES
        chosen = (*BACK_ENDS, SEALED) if sealed else BACK_ENDS
        metafunc.parametrize("back_end", chosen, ids=lambda one: one.name, indirect=True, scope="session")


@pytest.fixture(scope="session")
def back_end(request: pytest.FixtureRequest) -> BackEnd:
    """The implementation under test."""
    chosen = request.param
    assert isinstance(chosen, BackEnd)
    return chosen


@pytest_asyncio.fixture
async def store(back_end: BackEnd, tmp_path: Path) -> AsyncIterator[Store]:
    """An open, empty store."""
    opened = back_end.build(tmp_path / "store")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path | None]:
    """A file system of 8 MB, where this user may mount one; else None."""
    with disk_of(8, tmp_path / "disk") as disk:
        yield disk
