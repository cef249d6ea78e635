"""Private files: their owner's from the first instant, never in the place of another, durable with their name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mss_gateway.observe.durable import PRIVATE, make_private, mode_of, open_to_others, sync


def test_a_private_file_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    """And holds what it was given."""
    before = os.umask(0)
    try:
        make_private(tmp_path / "key", b"secret")
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "key") == PRIVATE
    assert (tmp_path / "key").read_bytes() == b"secret"


@pytest.mark.parametrize("link", [False, True])
def test_nothing_that_is_there_is_written_over(tmp_path: Path, link: bool) -> None:
    """Neither a file nor what a link of somebody points to."""
    there = tmp_path / "there"
    there.write_bytes(b"old")
    path = tmp_path / "key"
    if link:
        path.symlink_to(there)
    else:
        there.rename(path)
    with pytest.raises(FileExistsError):
        make_private(path, b"secret")
    assert path.read_bytes() == b"old"


def test_the_file_and_then_its_name_are_written_to_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this order: a name without octets would be a torn key."""
    written: list[tuple[bool, int]] = []

    def noting(fd: int) -> None:
        found = os.fstat(fd)
        written.append((os.path.samestat(found, tmp_path.stat()), found.st_size))

    monkeypatch.setattr(os, "fsync", noting)
    make_private(tmp_path / "key", b"secret")
    assert [(folder, folder or size) for folder, size in written] == [(False, 6), (True, True)]
    sync(tmp_path / "key")
    assert written[2] == (False, 6)


@pytest.mark.parametrize(
    ("mode", "others"),
    [
        (0o600, False),
        (0o400, False),
        (0o640, True),
        (0o604, True),
        (0o620, True),
        (0o700, True),
        (0o1600, False),
    ],
)
def test_who_else_may_read_or_change(tmp_path: Path, mode: int, others: bool) -> None:
    """Of what `chmod` says, the owner's right to read and to write is nobody else's."""
    path = tmp_path / "key"
    path.touch()
    path.chmod(mode)
    assert open_to_others(mode_of(path)) is others
