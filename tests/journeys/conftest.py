"""One gateway process for all journeys; each journey uses messages of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mss_gateway.protocol.imap import Ending, responses
from tests.support.doors import Served, gateway_in_thread
from tests.support.process import GatewayProcess


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway that serves on free ports of loopback until the journeys end."""
    process = GatewayProcess(tmp_path_factory.mktemp("journeys"))
    yield process
    assert process.stop() == 0


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A gateway of its own, for a program that takes or changes whatever a mailbox holds.

    In the end no IMAP command was answered BAD, whoever sent it, and nothing of ours has failed.
    """
    bad: list[str] = []
    tagged = responses.tagged

    def noting(tag: bytes, ending: Ending, text: str, code: bytes = b"") -> bytes:
        if ending is Ending.BAD:
            bad.append(text)
        return tagged(tag, ending, text, code)

    monkeypatch.setattr(responses, "tagged", noting)
    (tmp_path / "gateway").mkdir()
    with gateway_in_thread(tmp_path / "gateway") as served:
        yield served
        assert served.faults() == 0
    assert bad == []
