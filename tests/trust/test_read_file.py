"""Files of the trust space are read whole, up to a limit, and cost what they hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from mss_gateway.trust import anchors
from mss_gateway.trust.anchors import read_file
from mss_gateway.trust.refusals import TrustProblem
from tests.support.memory import MIB, little_memory


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 + 1, 300_000])
def test_a_file_is_read_whole(tmp_path: Path, size: int) -> None:
    """Whatever its size and the pieces it is read in."""
    octets = bytes(number % 251 for number in range(size))
    (tmp_path / "file").write_bytes(octets)
    assert read_file(tmp_path / "file") == octets


def test_a_huge_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit it is taken, one octet above it is not."""
    monkeypatch.setattr(anchors, "MAX_FILE", 100_000)
    (tmp_path / "file").write_bytes(b"x" * 100_000)
    assert len(read_file(tmp_path / "file")) == 100_000
    (tmp_path / "file").write_bytes(b"x" * 100_001)
    with pytest.raises(TrustProblem, match="larger than 100000 octets"):
        read_file(tmp_path / "file")


def test_a_small_file_costs_little(tmp_path: Path) -> None:
    """The watch reads a dozen of them whenever one has changed: none sets aside the most that a file may be."""
    (tmp_path / "file").write_bytes(b"x" * 2000)
    with little_memory(MIB):
        read_file(tmp_path / "file")
