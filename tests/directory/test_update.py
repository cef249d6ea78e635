"""The schedule: a watched file, an address over HTTPS, in another process; the copy in force stays (domain 15.1)."""

from __future__ import annotations

import asyncio
import io
import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mss_gateway.directory.annuaire import Annuaire
from mss_gateway.directory.copies import Attempt, Copies
from mss_gateway.directory.importing import meta_of
from mss_gateway.directory.options import DirectoryOptions
from mss_gateway.directory.updating import Outcome, due, update, update_apart
from mss_gateway.directory.watch import AnnuaireWatch
from mss_gateway.observe.figures import Figures
from mss_gateway.observe.log import Log, LogOptions
from tests.support.annuaire import extraction, lines, options, taken, zipped
from tests.support.publisher import Publisher, body, cut, drip, endless, publishing, silent, unused_port
from tests.support.trust import OURS, shared_pki

NOW = 1795200000.0


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[Publisher]:
    """Over HTTPS."""
    with publishing(shared_pki().organisations.issue(OURS), tmp_path) as found:
        yield found


@pytest.fixture
def fetched(tmp_path: Path, publisher: Publisher) -> DirectoryOptions:
    """Options that lead to it."""
    ca = tmp_path / "ca.pem"
    ca.write_bytes(shared_pki().ca_pem)
    return options(tmp_path, url=f"{publisher.base}/extraction", ca_files=(ca,), timeout=60.0)


def attempt(of: DirectoryOptions) -> Attempt:
    """The record."""
    return Copies(of.state).attempt()


def updated(of: DirectoryOptions, now: float = NOW) -> Outcome:
    """One update from the address."""
    return update(of, "url", lambda: now)


def test_the_address_is_fetched_when_it_is_due_and_only_when_it_has_changed(
    tmp_path: Path, publisher: Publisher, fetched: DirectoryOptions
) -> None:
    """Name and date from the ZIP; 304 the next time; up to a tenth earlier than set."""
    published = zipped(tmp_path, lines(300)).read_bytes()
    publisher.put("/extraction", body(published, etag='"1"', modified="Fri, 20 Nov 2026 06:10:00 GMT"))
    assert due(fetched, NOW) == "url"
    assert updated(fetched) == Outcome("Extraction_Correspondance_MSSante_202611200605.txt", True, 300, 0)
    copies = Copies(fetched.state)
    assert not copies.fetched.exists()
    assert due(fetched, NOW + 86400 * 0.89) == ""
    assert due(fetched, NOW + 86400) == "url"
    publisher.put("/extraction", body(b"", status=500))
    assert updated(fetched, NOW + 86400).reason == "directory-fetch-status"
    publisher.put("/extraction", body(published, etag='"1"', modified="Fri, 20 Nov 2026 06:10:00 GMT"))
    assert updated(fetched, NOW + 86400) == Outcome(fetched.url)
    assert attempt(fetched).failures == 0
    assert (attempt(fetched).reason, attempt(fetched).etag) == ("", '"1"')
    assert due(fetched, NOW - 10 * 86400) == "url"  # a clock that was wrong


def test_the_name_of_a_text_comes_from_the_header_or_the_address(
    tmp_path: Path, publisher: Publisher, fetched: DirectoryOptions
) -> None:
    """And with it the date."""
    text = extraction(tmp_path, lines(10)).read_bytes()
    disposition = 'attachment; filename="Extraction_Correspondance_MSSante_202611210605.txt"'
    publisher.put("/extraction", body(text, **{"Content-Disposition": disposition}))
    assert updated(fetched).changed
    assert meta_of(Copies(fetched.state).current).generated_at == 1795241100.0  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (body(b"", status=503), "directory-fetch-status"),
        (body(b"", status=302, Location="https://localhost/"), "directory-fetch-redirected"),
        (cut(b"x" * 1000, 500), "directory-fetch-cut"),
        (endless, "directory-too-large"),
        (body(b"<html>"), "directory-format"),
        (body(b"PK\x03\x04..."), "directory-damaged"),
    ],
)
def test_what_goes_wrong_is_told_and_tried_again(
    tmp_path: Path, publisher: Publisher, fetched: DirectoryOptions, answer: object, reason: str
) -> None:
    """The copy in force stays; the waits grow; a good answer ends it."""
    taken(tmp_path, lines(20))
    publisher.put("/extraction", answer)  # type: ignore[arg-type]
    bounded = replace(fetched, max_bytes=3_000_000)
    assert updated(bounded).reason == reason
    first = attempt(bounded).due_at - NOW
    assert 54 <= first <= 60
    updated(bounded)
    assert 108 <= attempt(bounded).due_at - NOW <= 120
    assert (attempt(bounded).failures, attempt(bounded).reason) == (2, reason)
    assert meta_of(Copies(fetched.state).current).rows == 20  # type: ignore[union-attr]
    assert not list(fetched.state.glob("*.part"))
    publisher.put("/extraction", body(zipped(tmp_path, lines(30)).read_bytes()))
    assert updated(bounded).rows == 30
    assert (attempt(bounded).failures, attempt(bounded).reason) == (0, "")


def test_servers_that_cannot_be_believed_or_reached(
    tmp_path: Path, fetched: DirectoryOptions, publisher: Publisher
) -> None:
    """Another authority, nobody there, silence, an octet now and then."""
    from mss_gateway.dev.pki import new_pki

    other = tmp_path / "other.pem"
    other.write_bytes(new_pki(label="AUTRE").ca_pem)
    assert updated(replace(fetched, ca_files=(other,))).reason == "directory-fetch-tls"
    assert publisher.asked == []
    assert (
        updated(replace(fetched, url=f"https://localhost:{unused_port()}/")).reason
        == "directory-fetch-unreachable"
    )
    with silent() as port:
        late = replace(fetched, url=f"https://localhost:{port}/", timeout=0.3)
        assert updated(late).reason == "directory-fetch-timeout"
    stop = threading.Event()
    publisher.put("/extraction", drip(stop, 0.05))
    assert updated(replace(fetched, timeout=0.3)).reason == "directory-fetch-timeout"
    stop.set()


def test_an_extraction_that_lacks_much_is_kept_for_a_person(
    tmp_path: Path, publisher: Publisher, fetched: DirectoryOptions
) -> None:
    """It is not fetched again every minute, and it lies where the command finds it."""
    taken(tmp_path, lines(100))
    publisher.put("/extraction", body(zipped(tmp_path, lines(50), day="20261121").read_bytes(), etag='"2"'))
    assert updated(fetched).reason == "directory-mass-removal"
    assert attempt(fetched).due_at - NOW > 70_000
    assert updated(fetched, NOW + 86400) == Outcome(fetched.url)  # unchanged: it still waits
    assert attempt(fetched).reason == "directory-mass-removal"
    from mss_gateway.directory.importing import import_file

    assert import_file(fetched, Copies(fetched.state).fetched, force=True).meta.rows == 50
    assert attempt(fetched).reason == ""


async def test_a_watched_file_is_imported_in_another_process_whenever_it_changes(tmp_path: Path) -> None:
    """The log tells it; a bad one is told once, and the copy in force stays."""
    path = extraction(tmp_path, lines(100))
    old = time.time() - 60
    os.utime(path, (old, old))
    stream = io.BytesIO()
    chosen = options(tmp_path, file=path)
    annuaire = Annuaire(Copies(chosen.state))
    watch = AnnuaireWatch(chosen, annuaire, Log(LogOptions(), Figures(), stream))
    try:
        await watch.once()
        await watch.once()
        path.write_bytes(b"autre chose")
        assert due(chosen, time.time()) == ""  # it may still be on its way
        os.utime(path, (old + 1, old + 1))
        await watch.once()
        await watch.once()
        assert annuaire.meta is not None
        assert annuaire.meta.rows == 100
    finally:
        await annuaire.close()
    told = [json.loads(one) for one in stream.getvalue().splitlines()]
    assert [one["event"] for one in told] == ["directory-loaded", "directory-refused"]
    assert (told[0]["rows"], told[1]["reason"]) == (100, "directory-format")


async def test_the_other_process_ends_with_the_task(tmp_path: Path) -> None:
    """A gateway that stops leaves nobody behind, and an import cut so is none."""
    path = extraction(tmp_path, lines(60_000))
    old = time.time() - 60
    os.utime(path, (old, old))
    chosen = options(tmp_path, file=path)
    copies = Copies(chosen.state)
    annuaire = Annuaire(copies)
    running = asyncio.create_task(
        AnnuaireWatch(chosen, annuaire, Log(LogOptions(), Figures(), io.BytesIO())).run()
    )
    await asyncio.to_thread(_awaited, copies.new)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    with copies.importing():  # whoever held it is gone
        assert not copies.current.exists()
    await annuaire.close()


def _awaited(path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)


def test_the_very_same_file_is_no_news(
    tmp_path: Path, publisher: Publisher, fetched: DirectoryOptions
) -> None:
    """A publisher without marks gives it every day; the copy before stays the one before."""
    taken(tmp_path, lines(20), day="20261119")
    publisher.put("/extraction", body(zipped(tmp_path, lines(30)).read_bytes()))
    assert updated(fetched).changed
    assert not updated(fetched, NOW + 86400).changed
    assert meta_of(Copies(fetched.state).previous).rows == 20  # type: ignore[union-attr]


async def test_a_process_that_dies_is_noted_and_not_begun_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as one that the system has ended for want of memory."""
    monkeypatch.setattr("sys.executable", "/bin/false")
    chosen = options(tmp_path, url="https://localhost/x")
    assert (await update_apart(chosen, "url")).reason == "directory-failed"
    assert attempt(chosen).failures == 1
    assert due(chosen, time.time()) == ""
