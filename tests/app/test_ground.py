"""The secret key of a gateway: made once, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from mss_gateway.app.ground import KEY_SIZE, secret_key
from mss_gateway.ports.store import StoreError


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """The same octets at the next start; a half-made file of a killed start is no key."""
    path = tmp_path / "state" / "correlation.key"
    key = secret_key(path)
    assert len(key) == KEY_SIZE
    assert path.stat().st_mode & 0o777 == 0o600
    path.with_suffix(".new").write_bytes(b"half")
    assert secret_key(path) == key


@pytest.mark.parametrize("octets", [b"", b"short"])
def test_a_torn_key_is_refused_and_not_used(tmp_path: Path, octets: bytes) -> None:
    """With a sentence that says what follows from removing it."""
    path = tmp_path / "correlation.key"
    path.write_bytes(octets)
    with pytest.raises(StoreError, match="restore it from a backup"):
        secret_key(path)
    assert path.read_bytes() == octets
