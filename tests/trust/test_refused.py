"""The book of refused sessions: bounded, found again after a restart, without an INS (TRU-8, INS-7)."""

from __future__ import annotations

import json
import string
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.ports.refused import INBOUND, OUTBOUND, Refusal
from mss_gateway.trust import refused
from mss_gateway.trust.refused import (
    BEFORE,
    FILE,
    KEPT,
    MAX_CHAIN,
    MAX_FILE,
    MAX_MEMORY,
    SAME_FOR,
    RefusedBook,
)

INS = "285037728417346"


class Clock:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.now = 1_795_254_062.0

    def __call__(self) -> float:
        return self.now


def refusal(number: int = 0, **more: object) -> Refusal:
    """A refusal of one of many peers."""
    told: dict[str, object] = {
        "direction": INBOUND,
        "peer": f"192.0.2.{number}",
        "reason": "certificate-expired",
        "tls_version": "TLSv1.3",
        "tls_cipher": "TLS_AES_256_GCM_SHA384",
        "chain": (b"0\x03abc", b"0\x03def"),
        "helo": "mx.hopital.example",
    }
    return Refusal(**{**told, **more})  # type: ignore[arg-type]


@pytest.mark.req("TRU-8")
def test_an_id_is_found_again_also_after_a_restart(tmp_path: Path) -> None:
    """Case is ignored, since people type it; what was told is there whole."""
    clock = Clock()
    book = RefusedBook(tmp_path, clock)
    session = book.note(refusal(1, domain="hopital.mssante.fr", direction=OUTBOUND))
    assert len(session) == 10
    assert set(session) <= set(string.ascii_lowercase + string.digits)
    book.close()
    for reader in (book, RefusedBook(tmp_path, clock)):
        found = reader.find(f" {session.upper()} ")
        assert found is not None
        assert found.refusal == refusal(1, domain="hopital.mssante.fr", direction=OUTBOUND)
        assert (found.at, found.last_at, found.count) == (clock.now, clock.now, 1)
        assert reader.find("0000000000") is None
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


@pytest.mark.req("TRU-8")
def test_the_same_refusal_is_counted_under_its_first_id_for_an_hour(tmp_path: Path) -> None:
    """A peer that tries every minute pushes nobody else out; its count outlives a restart roughly."""
    clock = Clock()
    book = RefusedBook(tmp_path, clock)
    session = book.note(refusal())
    other = book.note(refusal(reason="certificate-revoked"))
    for _ in range(20):
        clock.now += 60
        assert book.note(refusal()) == session
    found = book.find(session)
    assert found is not None
    assert (found.count, found.last_at) == (21, clock.now)
    assert [one.id for one in book.latest(5)] == [session, other]
    clock.now += SAME_FOR
    again = book.note(refusal())
    assert again != session
    book.close()
    kept = RefusedBook(tmp_path, clock).find(session)
    assert kept is not None
    assert kept.count == 16  # written down at each doubling
    assert len((tmp_path / FILE).read_bytes().splitlines()) == 3 + 4


def test_another_certificate_is_another_session() -> None:
    """Peer and reason alone are not enough: an operator changes certificates while it looks for the right one."""
    book = RefusedBook(None)
    assert book.note(refusal()) != book.note(refusal(chain=(b"0\x03xyz",)))


@pytest.mark.req("TRU-8")
def test_memory_is_bounded_by_number_and_by_octets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest unseen goes first."""
    book = RefusedBook(None)
    first, second = book.note(refusal(0)), book.note(refusal(1))
    for number in range(2, KEPT):
        book.note(refusal(number))
    book.note(refusal(0))  # seen again
    book.note(refusal(KEPT))
    assert book.find(first) is not None
    assert book.find(second) is None
    assert len(book.latest(2 * KEPT)) == KEPT
    monkeypatch.setattr(refused, "MAX_MEMORY", 10 * MAX_CHAIN)
    for number in range(20):
        book.note(refusal(number, chain=(bytes([number]) * MAX_CHAIN,)))
    assert len(book.latest(2 * KEPT)) == 10
    assert MAX_MEMORY > 10 * MAX_CHAIN


def test_a_chain_that_is_too_long_is_cut_to_the_peers_own() -> None:
    """A peer may send 128 KiB of certificates; its own is what matters."""
    book = RefusedBook(None)
    for chain, kept in (
        ((bytes(100), bytes(MAX_CHAIN)), (bytes(100),)),
        ((bytes(MAX_CHAIN + 1), b"x"), ()),
    ):
        found = book.find(book.note(refusal(chain=chain)))
        assert found is not None
        assert found.refusal.chain == kept


@pytest.mark.req("TRU-8")
def test_the_files_are_bounded_and_the_last_sessions_survive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file goes before the other; both together are at most twice the bound."""
    monkeypatch.setattr(refused, "MAX_FILE", 4000)
    book = RefusedBook(tmp_path)
    ids = []
    for number in range(60):
        ids.append(book.note(refusal(number)))
        book.flush()
    assert sum(path.stat().st_size for path in (tmp_path / FILE, tmp_path / BEFORE)) <= 8000
    book.close()
    again = RefusedBook(tmp_path)
    assert [one.id for one in again.latest(10)] == ids[:-11:-1]
    assert again.find(ids[0]) is None
    assert MAX_FILE >= 1024 * 1024


@pytest.mark.req("TRU-8", "INS-7")
def test_no_ins_and_no_control_character_is_kept(tmp_path: Path) -> None:
    """What a peer says of itself is not believed to be harmless."""
    book = RefusedBook(tmp_path)
    session = book.note(refusal(helo=f"{INS}.example\x1b[31m", domain=f"{INS}", peer="x" * 600 + INS))
    book.close()
    found = RefusedBook(tmp_path).find(session)
    assert found is not None
    assert found.refusal.helo.isprintable()
    assert len(found.refusal.peer) == 255
    assert INS not in (tmp_path / FILE).read_text()


@pytest.mark.parametrize("tail", [b"", b'{"id":"abc', b"\xff\xfe\n", b"[]\n", b'{"id":5}\n'])
def test_a_damaged_file_costs_only_its_damaged_lines(tmp_path: Path, tail: bytes) -> None:
    """A kill in the middle of a line, or somebody's editor."""
    book = RefusedBook(tmp_path)
    session = book.note(refusal())
    book.close()
    path = tmp_path / FILE
    good = json.loads(path.read_bytes())
    bad = [
        {**good, "chain": ["!"]},
        {**good, "chain": 5},
        {**good, "helo": 5},
        {**good, "at": "x"},
        {"id": session, "last_at": [], "count": 1},
        {"id": session, "count": 1},
    ]
    lines = b"".join(json.dumps(line).encode() + b"\n" for line in bad)
    path.write_bytes(lines + path.read_bytes() + tail)
    again = RefusedBook(tmp_path)
    assert [one.id for one in again.latest(10)] == [session]


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_no_line_of_a_file_raises(octets: bytes) -> None:
    """Whatever stands there."""
    refused._line(octets)


def test_a_disk_that_refuses_costs_nothing_else(tmp_path: Path) -> None:
    """The folder is a file: the session is known until the restart."""
    folder = tmp_path / "state"
    folder.write_text("")
    book = RefusedBook(folder)
    session = book.note(refusal())
    book.close()
    assert book.find(session) is not None
    assert folder.read_text() == ""


@pytest.mark.req("TRU-8")
def test_writing_is_put_off_and_done_once_for_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand refusals in a moment are one write, and none of them in the caller's thread."""
    monkeypatch.setattr(refused, "_PAUSE", 2.0)
    writes: list[int] = []
    done = Event()
    append = refused._append

    def counted(folder: Path, lines: list[object]) -> None:
        append(folder, lines)  # type: ignore[arg-type]
        writes.append(len(lines))
        done.set()

    monkeypatch.setattr(refused, "_append", counted)
    book = RefusedBook(tmp_path)
    for number in range(30):
        book.note(refusal(number))
    assert writes == []
    assert done.wait(60)
    book.close()
    assert sum(writes) == 30
    assert len((tmp_path / FILE).read_bytes().splitlines()) == 30
