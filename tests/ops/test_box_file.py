"""The file of mailboxes that the running gateway reads by itself, and files of any octets at all (BAL-1..5)."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.observe.figures import Figures
from mss_gateway.observe.log import Log, LogOptions
from mss_gateway.ops.box_file import BoxFile, FileOptions, ScheduledImport
from mss_gateway.ops.box_import import BoxImportOperations
from mss_gateway.ops.doctor import Verdict
from mss_gateway.ops.health_people import PeopleHealth
from mss_gateway.ops.tabular import BadTable
from mss_gateway.rules.facts import BoxState
from mss_gateway.storage.sqlite import SqliteStore
from tests.support.store import sqlite_options

RPPS = "810000000009"
HEAD = "address;type;national_id;structure;responsible\n"


def org(*names: str) -> str:
    """Rows of shared mailboxes."""
    return "".join(f"{name}@hopital.example;ORG;;1750000000;{RPPS}\n" for name in names)


class Site:
    """A store, a file, and the import that looks at it."""

    def __init__(self, store: SqliteStore, path: Path) -> None:
        self.store = store
        self.path = path
        self.health = PeopleHealth(store, path)
        self._operations = BoxImportOperations(store, frozenset({"hopital.example"}), "Sonde@hopital.example")

    async def look(self, *, close: bool = False, percent: int = 10) -> bool:
        """One look with these settings."""
        options = FileOptions(self.path, close=close, percent=percent)
        return await ScheduledImport(self._operations, options, Log(LogOptions(), Figures())).look()

    async def states(self) -> dict[str, BoxState]:
        """Every mailbox."""
        return {row.address.partition("@")[0]: row.state for row in await self.store.boxes()}

    async def outcome(self) -> dict[str, int | str]:
        """What became of the last look."""
        return dict((await self.store.import_outcomes())[0].outcome)


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """An open, empty store."""
    store = SqliteStore(sqlite_options(tmp_path / "store"))
    await store.open()
    yield Site(store, tmp_path / "boites.csv")
    await store.close()


@pytest.mark.req("BAL-1", "BAL-5")
async def test_a_file_is_taken_in_when_it_has_changed(site: Site) -> None:
    site.path.write_text(HEAD + org("a", "b"))
    assert (await site.health.examine())[0].verdict is Verdict.DOUBT
    assert await site.look()
    assert not await site.look()
    assert set(await site.states()) == {"a", "b"}
    assert (await site.health.examine())[0].verdict is Verdict.GOOD
    site.path.write_text(HEAD + org("a", "c") + "sans-arobase;ORG;;;\n")
    assert await site.look()
    assert await site.states() == dict.fromkeys("abc", BoxState.ACTIVE)
    outcome = await site.outcome()
    assert (outcome["created"], outcome["unchanged"], outcome["refused"], outcome["missing"]) == (1, 1, 1, 1)
    (check,) = await site.health.examine()
    assert (check.verdict, "--dry-run" in check.next_step) == (Verdict.DOUBT, True)


@pytest.mark.req("BAL-5")
async def test_what_is_missing_is_closed_only_where_wanted_and_in_measure(site: Site) -> None:
    names = [f"b{n}" for n in range(10)]
    site.path.write_text(HEAD + org(*names, "sonde"))  # the doctor's own, which no later file names
    await site.look(close=True)
    site.path.write_text(HEAD + org(*names[:5]))
    assert await site.look(close=True)
    assert set((await site.states()).values()) == {BoxState.ACTIVE}
    assert "more than 10 %" in str((await site.outcome())["problem"])
    (check,) = await site.health.examine()
    assert check.verdict is Verdict.BAD
    site.path.write_text(HEAD + org(*names[:9]))
    assert await site.look(close=True)
    assert [name for name, state in (await site.states()).items() if state is BoxState.CLOSED] == ["b9"]
    box = await site.store.box("b9@hopital.example")
    assert box is not None
    assert box.state_reason == "not in boites.csv any more"
    lines = await site.store.box_history(box.id, ["bal-closed"])
    assert [line.actor for line in lines] == ["gateway"]


@pytest.mark.req("BAL-5", "OPS-2")
async def test_a_file_that_cannot_be_read_is_told_and_read_again_later(site: Site) -> None:
    assert await site.look()
    assert "cannot be read" in str((await site.outcome())["problem"])
    site.path.write_bytes(b"\0\0")
    assert await site.look()
    assert "no text" in str((await site.outcome())["problem"])
    assert not await site.look()
    site.path.write_text(HEAD + org("a"))
    assert await site.look()
    assert set(await site.states()) == {"a"}
    assert await PeopleHealth(site.store, None).examine() == []


HEADING = st.sampled_from([b"", b"address;type;login\n", b"\xef\xbb\xbfadresse,type\r\n", b"Adresse\tType\n"])
LINE = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b'a@b.fr;PER;"x\n', b"a@b.fr;ORG;\r\n", b"\n", b";;;\n", b'"a@b.fr",PER\n']),
)


@settings(max_examples=150, deadline=None)
@given(HEADING, st.lists(LINE, max_size=8))
def test_any_octets_are_rows_refused_or_no_table(heading: bytes, lines: list[bytes]) -> None:
    with tempfile.NamedTemporaryFile() as file, suppress(BadTable):
        file.write(heading + b"".join(lines))
        file.flush()
        read = BoxFile(Path(file.name))
        found = [row for batch, _ in read.batches() for row in batch]
        numbers = [*(row["line"] for row in found), *(line["line"] for line in read.refused)]
        assert len(set(numbers)) == len(numbers)
        assert len(found) == len(read.seen)
        assert all(isinstance(value, str) for row in found for name, value in row.items() if name != "line")
