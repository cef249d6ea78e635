"""Search in the copy in force, its listings, and how another copy takes its place (BAL-1, OPS-1)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.directory.annuaire import Annuaire
from mss_gateway.directory.copies import Copies
from mss_gateway.directory.desk import AnnuaireDesk
from mss_gateway.directory.entry import Wanted
from mss_gateway.directory.importing import import_file, meta_of
from mss_gateway.directory.problems import DirectoryProblem
from mss_gateway.rules.facts import BoxType, Listed
from tests.support.annuaire import extraction, line, lines, options, taken
from tests.support.properties import FOR_EACH_EXAMPLE

ZOE = "zoe.lefevre@medecin.mssante.fr"
BODY = [
    line(ZOE, number=7, person=("LEFÈVRE", "ZOÉ"), town=("77000", "MELUN"), house="CABINET DU CŒUR"),
    line("hugo.martin@medecin.mssante.fr", number=8, person=("MARTIN", "HUGO"), town=("20200", "BASTIA")),
    line(
        "paul.martineau@x.mssante.fr", number=9, person=("MARTINEAU", "PAUL"), town=("93200", "SAINT DENIS")
    ),
    line(
        "rue.martin@x.mssante.fr", number=10, person=("DUPONT", "LUC"), town=("97110", "POINTE A PITRE CEDEX")
    ),
    line("urgences@x.mssante.fr", number=11, person=(), service="URGENCES", house="CLINIQUE SAINT-MARTIN"),
]


@pytest.fixture
async def annuaire(tmp_path: Path) -> AsyncIterator[Annuaire]:
    """A reader; nothing is imported yet."""
    reader = Annuaire(Copies(options(tmp_path).state))
    yield reader
    await reader.close()


async def found(annuaire: Annuaire, words: str = "", **filters: str) -> list[str]:
    """Local parts of what fits, in its order."""
    rows = (await annuaire.search(Wanted(words, **filters))).rows  # type: ignore[arg-type]
    return [row["address"].partition("@")[0] for row in rows]


@pytest.mark.req("OPS-1")
async def test_words_fit_without_accents_or_case_and_by_their_beginning(
    annuaire: Annuaire, tmp_path: Path
) -> None:
    """Names first, then other words, then beginnings; ligatures are letters."""
    taken(tmp_path, [*BODY, line("ligne_directe@y.mssante.fr", number=12, person=("ROUX", "ADAM"))])
    assert await found(annuaire, "ligne_dir") == ["ligne_directe"]
    assert await found(annuaire, "lefevre zoe") == ["zoe.lefevre"]
    assert await found(annuaire, "LEFÈVRE") == await found(annuaire, "Lefe") == ["zoe.lefevre"]
    assert await found(annuaire, "coeur") == await found(annuaire, "CŒUR") == ["zoe.lefevre"]
    assert await found(annuaire, "martin") == ["hugo.martin", "rue.martin", "urgences", "paul.martineau"]
    assert await found(annuaire, "martin bastia") == ["hugo.martin"]
    assert await found(annuaire, "martin xyz") == []
    assert await found(annuaire, "saint-martin urg") == ["urgences"]
    assert await found(annuaire, ZOE.upper()) == ["zoe.lefevre"]
    assert await found(annuaire, "10000000008") == ["hugo.martin"]


@pytest.mark.req("OPS-1")
async def test_filters_by_type_department_place_number(annuaire: Annuaire, tmp_path: Path) -> None:
    """Corsica and overseas by their postcodes; a place by its beginning; an RPPS with or without its 8."""
    taken(tmp_path, BODY)
    assert await found(annuaire, type="ORG") == ["urgences"]
    assert await found(annuaire, department="2B") == ["hugo.martin"]
    assert await found(annuaire, department="971") == ["rue.martin"]
    assert await found(annuaire, place="Saint-Den") == ["paul.martineau"]
    assert await found(annuaire, place="77000", type="per") == ["zoe.lefevre"]
    assert (
        await found(annuaire, number="10000000007")
        == await found(annuaire, number="8 10000000007")
        == ["zoe.lefevre"]
    )
    assert await found(annuaire, "martin", department="93") == ["paul.martineau"]
    [row] = (await annuaire.search(Wanted(ZOE))).rows
    assert await found(annuaire, "zoe", profession=row["profession_code"]) == ["zoe.lefevre"]


@pytest.mark.parametrize(
    ("words", "filters"),
    [("", {}), ("''", {}), ("", {"department": "*"}), ("", {"number": '1" OR "2'}), ("", {"place": "--"})],
)
async def test_a_question_that_cannot_be_meant_is_refused(
    annuaire: Annuaire, tmp_path: Path, words: str, filters: dict[str, str]
) -> None:
    """With a sentence, and never as a question of SQLite's own."""
    taken(tmp_path, BODY)
    with pytest.raises(DirectoryProblem) as raised:
        await found(annuaire, words, **filters)
    assert raised.value.reason == "directory-question"


@pytest.mark.parametrize(
    "words",
    [
        '"',
        "martin OR",
        "NEAR(a b)",
        "word:x",
        "*",
        "-martin^",
        "a" * 300,
        "(",
        "zdep77",
        "marie_x",
        "_",
        "a\U0001e900b",
    ],
)
async def test_signs_of_the_index_mean_nothing(annuaire: Annuaire, tmp_path: Path, words: str) -> None:
    """What is typed is words, whatever it looks like."""
    taken(tmp_path, BODY)
    try:
        await annuaire.search(Wanted(words))
    except DirectoryProblem as problem:
        assert problem.reason == "directory-question"  # noqa: PT017


@settings(max_examples=100, deadline=None, suppress_health_check=FOR_EACH_EXAMPLE)
@given(words=st.text(max_size=20), place=st.text(max_size=6), number=st.text(max_size=6))
def test_any_question_has_rows_or_a_problem(tmp_path: Path, words: str, place: str, number: str) -> None:
    """Never a fault, whatever is typed."""
    if not Copies(options(tmp_path).state).current.exists():
        taken(tmp_path, BODY)

    async def ask() -> None:
        annuaire = Annuaire(Copies(options(tmp_path).state))
        try:
            with contextlib.suppress(DirectoryProblem):
                assert (await annuaire.search(Wanted(words, place=place, number=number))).rows is not None
        finally:
            await annuaire.close()

    asyncio.run(ask())


@pytest.mark.req("BAL-1")
async def test_a_listing_tells_type_name_structure_and_source(annuaire: Annuaire, tmp_path: Path) -> None:
    """Known, unknown, and remembered until another copy comes in force."""
    assert await annuaire.listed(ZOE) is None
    taken(tmp_path, BODY)
    await annuaire.open()
    known = Listed(BoxType.PER, "ZOÉ LEFÈVRE", "CABINET DU CŒUR", "annuaire 2026-11-20")
    assert await annuaire.listed(ZOE) == known
    assert await annuaire.listed("urgences@x.mssante.fr") == Listed(
        BoxType.ORG, "", "URGENCES, CLINIQUE SAINT-MARTIN", "annuaire 2026-11-20"
    )
    assert await annuaire.listed("nobody@x.mssante.fr") is None
    taken(tmp_path, [line(ZOE, person=("PETIT", "ZOÉ"))], day="20261121", force=True)
    await annuaire.open()
    now = await annuaire.listed(ZOE)
    assert now is not None
    assert (now.name, now.source) == ("ZOÉ PETIT", "annuaire 2026-11-21")


async def test_a_reader_is_not_disturbed_by_an_import(annuaire: Annuaire, tmp_path: Path) -> None:
    """Questions go on while another copy is built and put in force."""
    taken(tmp_path, [*BODY, *lines(3000)])
    answers = 0

    async def ask() -> None:
        nonlocal answers
        while True:
            assert await found(annuaire, "lefevre zoe melun", type="PER")
            answers += 1

    asking = asyncio.create_task(ask())
    for day in ("20261121", "20261122"):
        await asyncio.to_thread(taken, tmp_path, [*BODY, *lines(3000)], day=day)
    asking.cancel()
    assert answers > 0
    assert (await annuaire.open()).generated_at == 1795327500.0  # type: ignore[union-attr]


async def test_the_copy_before_can_be_taken_back(annuaire: Annuaire, tmp_path: Path) -> None:
    """And forth; without one it is said so."""
    desk = AnnuaireDesk(options(tmp_path), annuaire)
    taken(tmp_path, BODY)
    with pytest.raises(DirectoryProblem) as raised:
        await desk.rollback()
    assert raised.value.reason == "directory-no-previous"
    taken(tmp_path, lines(50), day="20261121")
    assert await found(annuaire, "lefevre zoe melun cabinet coeur") == []
    assert (await desk.rollback())["copy"]["rows"] == len(BODY)
    assert await found(annuaire, "coeur zoe") == ["zoe.lefevre"]
    assert (await desk.rollback())["copy"]["rows"] == 50


async def test_status_tells_age_attempt_and_alarms(annuaire: Annuaire, tmp_path: Path) -> None:
    """Old, absent, refused: each with its sentence."""
    desk = AnnuaireDesk(
        options(tmp_path, url="https://localhost/x"), annuaire, lambda: 1795154700.0 + 8 * 86400
    )
    assert [one["reason"] for one in (await desk.status())["alarms"]] == ["directory-absent"]
    taken(tmp_path, BODY)
    with pytest.raises(DirectoryProblem):
        taken(tmp_path, [])
    status = await desk.status()
    assert [one["reason"] for one in status["alarms"]] == ["directory-old"]  # who imports by hand has seen it
    assert (status["copy"]["rows"], status["last"]["reason"]) == (len(BODY), "directory-empty")
    Copies(options(tmp_path).state).note(failures=1, reason="directory-fetch-cut", sentence="cut: again")
    assert [one["reason"] for one in (await desk.status())["alarms"]] == [
        "directory-fetch-cut",
        "directory-old",
    ]
    assert status["copy"]["age_hours"] == pytest.approx(8 * 24)


def test_a_killed_import_leaves_the_copy_in_force(tmp_path: Path) -> None:
    """kill -9 in the middle: the next start and the next import find everything as it was."""
    taken(tmp_path, BODY)
    path = extraction(tmp_path, lines(60_000), day="20261121")
    program = (
        "import sys; from pathlib import Path\n"
        "from mss_gateway.directory.importing import import_file\n"
        "from mss_gateway.directory.options import DirectoryOptions\n"
        "import_file(DirectoryOptions(Path(sys.argv[1])), Path(sys.argv[2]), force=True)"
    )
    copies = Copies(options(tmp_path).state)
    process = subprocess.Popen([sys.executable, "-c", program, str(options(tmp_path).state), str(path)])
    while not copies.new.exists() or copies.new.stat().st_size < 200_000:
        assert process.poll() is None
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGSTOP)  # so that it is in the middle for as long as this takes
    assert process.poll() is None
    with pytest.raises(DirectoryProblem) as raised:
        taken(tmp_path, BODY, force=True)
    assert raised.value.reason == "directory-busy"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert meta_of(copies.current).rows == len(BODY)  # type: ignore[union-attr]
    assert taken(tmp_path, lines(20), day="20261122").meta.rows == 20


def test_a_full_disk_leaves_the_copy_in_force(tmp_path: Path) -> None:
    """Told as such, nothing half written is left, and the next import works."""
    taken(tmp_path, BODY)
    path = extraction(tmp_path, lines(5000), day="20261121")
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from mss_gateway.directory.importing import import_file\n"
        "from mss_gateway.directory.options import DirectoryOptions\n"
        "from mss_gateway.directory.problems import DirectoryProblem\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))\n"
        "try:\n    import_file(DirectoryOptions(Path(sys.argv[1])), Path(sys.argv[2]))\n"
        "except DirectoryProblem as problem:\n    print(problem.reason)"
    )
    words = [sys.executable, "-c", program, str(options(tmp_path).state), str(path)]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    copies = Copies(options(tmp_path).state)
    assert said.startswith("directory-disk")
    assert not copies.new.exists()
    assert meta_of(copies.current).rows == len(BODY)  # type: ignore[union-attr]
    assert import_file(options(tmp_path), path).meta.rows == 5000


def test_a_copy_that_is_damaged_or_of_another_version_is_no_copy(tmp_path: Path) -> None:
    """It is as if there were none, until the next import."""
    taken(tmp_path, BODY)
    copies = Copies(options(tmp_path).state)
    copies.current.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    assert meta_of(copies.current) is None
    assert import_file(options(tmp_path), extraction(tmp_path, BODY)).meta.rows == len(BODY)


async def test_a_message_does_not_wait_for_somebodys_search(
    annuaire: Annuaire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long export is under way in the thread: the directory has no word on the sender then, and has it later."""
    taken(tmp_path, BODY)
    await annuaire.open()
    monkeypatch.setattr("mss_gateway.directory.annuaire.PATIENCE", 0.05)
    free = threading.Event()
    export = asyncio.ensure_future(annuaire._do(lambda: free.wait(60)))
    try:
        assert await annuaire.listed(ZOE) is None
        assert not export.done()
    finally:
        free.set()
    assert await export
    monkeypatch.setattr("mss_gateway.directory.annuaire.PATIENCE", 60.0)
    assert await annuaire.listed(ZOE) is not None
