"""Fixtures of the folders that talk to gateways: one for the tests of a file, others with settings of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import uvloop

from .doors import Change, Served, gateway_in_thread


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway with the sample's settings, on uvloop; at its end no fault of ours may have been counted."""
    with gateway_in_thread(tmp_path_factory.mktemp("door"), loop=uvloop.new_event_loop) as served:
        yield served
        assert served.faults() == 0


@pytest.fixture
def special(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts gateways with changed settings, on asyncio's own loop; they are stopped after the test."""
    with ExitStack() as stack:
        count = 0

        def start(*changes: Change) -> Served:
            nonlocal count
            count += 1
            folder = tmp_path / str(count)
            folder.mkdir()
            return stack.enter_context(gateway_in_thread(folder, *changes))

        yield start
