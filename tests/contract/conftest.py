"""Every back end of the store, one after the other, for every test of the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mss_gateway.ports.store import Store
from tests.support.store import BACK_ENDS, BackEnd


@pytest.fixture(scope="session", params=BACK_ENDS, ids=lambda back_end: back_end.name)
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
