"""Where master keys come from: a private file or a command, each mistake with its sentence (OPS-5)."""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.ports.store import StoreError
from mss_gateway.storage.sqlite import EncryptionOptions, SqliteStore, UnusableKeys, parse_keys, read_key_file
from mss_gateway.storage.sqlite.keys import read_keys
from tests.support.store import sealing, sqlite_options

pytestmark = pytest.mark.req("OPS-5")
KEY = bytes(range(200, 232))


@pytest.mark.parametrize(
    "octets",
    [
        KEY,
        base64.b64encode(KEY),
        KEY.hex().encode() + b"\n",
        b"# made in 2026\n\n  " + KEY.hex().upper().encode() + b"  \r\n",
    ],
)
def test_one_key_in_any_form_has_the_same_name(octets: bytes) -> None:
    """Raw, base64 and hexadecimal are the same key, named by what it is."""
    ((name, key),) = parse_keys(octets).items()
    assert key == KEY
    assert name.startswith("k-")
    assert KEY.hex()[:8] not in name


def test_a_ring_keeps_names_and_order() -> None:
    """The last line is the newest key."""
    ring = parse_keys(b"2025 " + b"11" * 32 + b"\n2026-11.b " + base64.b64encode(KEY))
    assert list(ring) == ["2025", "2026-11.b"]


@pytest.mark.parametrize(
    ("octets", "clause"),
    [
        (b"", "it holds no key"),
        (b"# nothing\n", "it holds no key"),
        (b"11" * 16, "line 1 is no key of 32 octets"),
        (b"a b " + b"11" * 32, "line 1 is no key"),
        (b"\xff\xfe key", "line 1 is no key"),
        (b"a " + b"11" * 32 + b"\na " + b"22" * 32, "line 2 repeats a name or a key"),
        (b"a " + b"11" * 32 + b"\nb " + b"11" * 32, "line 2 repeats a name or a key"),
        (b"-a " + b"11" * 32, "in line 1 the key's name is not of letters"),
        (b"x" * 70_000, "more than 64 KiB"),
    ],
)
def test_what_is_no_ring_is_told_without_the_key(octets: bytes, clause: str) -> None:
    """The sentence names the line and never what stands in it."""
    with pytest.raises(UnusableKeys, match=clause) as raised:
        parse_keys(octets)
    assert "11111111" not in str(raised.value)


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_octets_are_a_ring_or_refused(octets: bytes) -> None:
    """Nothing else is raised, and every key is of 32 octets."""
    try:
        ring = parse_keys(octets)
    except UnusableKeys:
        return
    assert all(len(key) == 32 for key in ring.values())


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o700])
def test_a_file_that_others_may_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    """Only 0600 and 0400 are taken."""
    path = tmp_path / "keys"
    path.write_bytes(KEY)
    path.chmod(mode)
    with pytest.raises(UnusableKeys, match=r"mode 0.*: chmod 0600 it"):
        read_key_file(path)
    for private in (0o600, 0o400):
        path.chmod(private)
        assert read_key_file(path) == KEY
    with pytest.raises(UnusableKeys, match="no such file"):
        read_key_file(tmp_path / "other")
    with pytest.raises(UnusableKeys, match="a folder"):
        read_key_file(tmp_path)


def command(tmp_path: Path, source: str, timeout: float = 60.0) -> EncryptionOptions:
    """A command that does this."""
    path = tmp_path / "command.py"
    path.write_text(source)
    return EncryptionOptions(True, None, (sys.executable, str(path)), timeout)


@pytest.mark.parametrize(
    ("source", "clause"),
    [
        ("import time; time.sleep(60)", "did not end within 0.5 seconds"),
        ("raise SystemExit(3)", "it ended with 3"),
        ("print('no key')", "line 1 is no key"),
        ("pass", "it holds no key"),
    ],
)
async def test_a_command_that_gives_no_key_is_told(tmp_path: Path, source: str, clause: str) -> None:
    """Slow, failing, babbling and silent commands; the store does not open, and its lock is given back."""
    options = command(tmp_path, source, 0.5 if "sleep" in source else 60.0)
    store = SqliteStore(sqlite_options(tmp_path / "store", encryption=options))
    for _ in range(2):
        with pytest.raises(StoreError, match=rf"encryption\.key_command = .*{clause}"):
            await store.open()
        options = EncryptionOptions(True, None, ("/nonexistent/vault",))
        store = SqliteStore(sqlite_options(tmp_path / "store", encryption=options))
        clause = "cannot be run"
    store = SqliteStore(sqlite_options(tmp_path / "store", encryption=sealing(tmp_path / "store")))
    await store.open()
    await store.close()


def test_a_command_gives_the_ring_and_gets_no_input(tmp_path: Path) -> None:
    """What it prints is the ring."""
    source = f"import sys; assert sys.stdin.read() == ''; print('vault', '{KEY.hex()}')"
    assert read_keys(command(tmp_path, source)) == {"vault": KEY}


async def test_a_key_that_cannot_be_read_keeps_the_store_closed(tmp_path: Path) -> None:
    """The sentence names the setting and the remedy."""
    options = sealing(tmp_path / "store")
    assert options.key_file is not None
    options.key_file.chmod(0o644)
    with pytest.raises(StoreError, match=r"encryption\.key_file = .*others may read or change it"):
        await SqliteStore(sqlite_options(tmp_path / "store", encryption=options)).open()
    os.unlink(options.key_file)
    with pytest.raises(StoreError, match="there is no such file"):
        await SqliteStore(sqlite_options(tmp_path / "store", encryption=options)).open()
