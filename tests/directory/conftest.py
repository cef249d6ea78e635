"""No answer of the directory is given up here because the machine is busy."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message waits for the directory no longer than a moment; what a test asks it waits for."""
    monkeypatch.setattr("mss_gateway.directory.annuaire.PATIENCE", 60.0)
