"""The service manager hears how the gateway is (sd_notify(3)), and nothing when there is none."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from mss_gateway.app.supervision import ADDRESS, INTERVAL, PROCESS, Supervision


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket that systemd would listen on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(60)
        yield listening


def heard(manager: socket.socket) -> list[str]:
    """The lines of the next datagram."""
    return manager.recv(4096).decode().split("\n")


@pytest.mark.req("OPS-4")
def test_states_are_told_in_the_words_of_systemd(manager: socket.socket) -> None:
    """Ready, reloading with the time that systemd asks for, stopping."""
    supervision = Supervision({ADDRESS: manager.getsockname()})
    supervision.ready()
    supervision.reloading()
    supervision.stopping()
    assert heard(manager)[0] == "READY=1"
    reloading = heard(manager)
    assert reloading[0] == "RELOADING=1"
    assert reloading[1].startswith("MONOTONIC_USEC=")
    assert heard(manager)[0] == "STOPPING=1"


@pytest.mark.req("OPS-4")
async def test_signs_of_life_at_half_the_time_that_is_waited_for(manager: socket.socket) -> None:
    """As often as asked, from this process only."""
    environment = {ADDRESS: manager.getsockname(), INTERVAL: "20000", PROCESS: str(os.getpid())}
    supervision = Supervision(environment)
    assert supervision.interval == 0.01
    living = asyncio.create_task(supervision.run())
    assert [await asyncio.to_thread(heard, manager) for _ in range(3)] == [["WATCHDOG=1"]] * 3
    living.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await living
    assert Supervision({**environment, PROCESS: "1"}).interval == 0.0


async def test_without_a_manager_nothing_happens(tmp_path: Path) -> None:
    """No address, a manager that has gone, an interval that is no number: the gateway goes on."""
    Supervision({}).ready()
    await Supervision({}).run()
    Supervision({ADDRESS: str(tmp_path / "gone")}).ready()
    assert Supervision({ADDRESS: "x", INTERVAL: "soon"}).interval == 0.0
