"""One gateway process for all journeys; each journey uses messages of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.process import GatewayProcess


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway that serves on free ports of loopback until the journeys end."""
    process = GatewayProcess(tmp_path_factory.mktemp("journeys"))
    yield process
    assert process.stop() == 0
