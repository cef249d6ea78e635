"""Imports of the national extraction: what is taken, what is left out, what is refused (domain 15.1)."""

from __future__ import annotations

import contextlib
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.directory.annuaire import Annuaire
from mss_gateway.directory.copies import Copies
from mss_gateway.directory.importing import import_file, meta_of
from mss_gateway.directory.lines import Tally, batches
from mss_gateway.directory.problems import DirectoryProblem
from mss_gateway.directory.source import opened
from tests.support.annuaire import HEADER, extraction, line, lines, options, taken, zipped
from tests.support.properties import FOR_EACH_EXAMPLE

MARIE = "marie.martin@medecin.mssante.fr"


def refused(folder: Path, path: Path, **how: object) -> DirectoryProblem:
    """Why a file is not taken; the copy in force is what it was."""
    before = meta_of(Copies(options(folder).state).current)
    with pytest.raises(DirectoryProblem) as raised:
        import_file(options(folder), path, **how)  # type: ignore[arg-type]
    copies = Copies(options(folder).state)
    assert meta_of(copies.current) == before
    assert not copies.new.exists()
    assert copies.attempt().reason == raised.value.reason
    return raised.value


async def rows(folder: Path, address: str) -> list[dict[str, str]]:
    """What the copy in force says of an address."""
    annuaire = Annuaire(Copies(options(folder).state))
    try:
        return await annuaire.rows(address)
    finally:
        await annuaire.close()


@pytest.mark.req("BAL-1")
async def test_every_row_is_taken_and_an_address_may_have_several(tmp_path: Path) -> None:
    """Duplicates by address are rows of one address; case does not matter."""
    report = taken(tmp_path, [line(MARIE), line(MARIE.upper(), house="CLINIQUE DES LILAS"), *lines(200)])
    assert (report.meta.rows, report.meta.refused, report.bad) == (202, 0, [])
    assert report.meta.addresses == 201
    assert report.meta.generated_at == 1795154700.0  # 2026-11-20 06:05
    found = await rows(tmp_path, MARIE)
    assert [one["structure"] for one in found] == ["CENTRE HOSPITALIER DU PARC", "CLINIQUE DES LILAS"]
    assert found[0]["source"] == "annuaire 2026-11-20"


def test_bad_lines_are_named_by_number_and_reason_and_the_others_kept(tmp_path: Path) -> None:
    """Never what stands in them; as many are named as asked for, all are counted."""
    bad = [
        b"PER|trop|peu|de|colonnes",
        line("pas une adresse").encode(),
        line(MARIE).replace("PER|", "PERS|", 1).encode(),
        line(MARIE, person=("DUPONT", "ÉLISE")).encode("latin-1"),
        line(MARIE, house="X" * 20_000).encode(),
    ]
    good = [one.encode() for one in lines(100)]
    report = taken(tmp_path, b"\r\n".join([*good[:50], *bad, b"", *good[50:]]) + b"\r\n")
    reasons = ["line-columns", "line-address", "line-type", "line-encoding", "line-length"]
    assert report.bad == [(52 + place, reason) for place, reason in enumerate(reasons)]
    assert (report.meta.rows, report.meta.refused, report.lines) == (100, 5, 107)
    again = taken(tmp_path, b"\n".join([*good, *bad]) + b"\n", shown=2)
    assert (len(again.bad), again.meta.refused) == (2, 5)


async def test_headings_may_stand_elsewhere_and_be_written_otherwise(tmp_path: Path) -> None:
    """By heading where it is known, by place where it is not; a byte order mark, a column more."""
    names = HEADER.split("|")
    names[0], names[1] = names[1], names[0]  # the address first
    names[9] = "NOM D EXERCICE"
    names[24] = "NL4TYPEVOIE"
    names[30] = "Contrée"  # nobody knows it: it is what its place says
    cells = line(MARIE).split("|")
    cells[0], cells[1] = cells[1], cells[0]
    path = extraction(
        tmp_path, ["|".join([*cells, "en plus"])], header="\ufeff" + "|".join([*names, "Colonne neuve"])
    )
    import_file(options(tmp_path), path)
    [found] = await rows(tmp_path, MARIE)
    told = {name: found[name] for name in ("type", "name", "street_type", "country", "address")}
    assert told == {
        "type": "PER",
        "name": "MARTIN",
        "street_type": "RUE",
        "country": "FRANCE",
        "address": MARIE,
    }


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "directory-empty"),
        (HEADER.encode() + b"\n", "directory-empty"),
        (HEADER.encode(), "directory-empty"),
        (b"\x00" * 100_000, "directory-format"),
        (b"une ligne\nune autre\n", "directory-format"),
        (b"a|b|c\n1|2|3\n", "directory-header"),
        (line(MARIE).encode() + b"\n", "directory-header"),
        (HEADER.rpartition("|")[0].encode() + b"\n" + line(MARIE).encode(), "directory-columns"),
        (HEADER.encode("latin-1") + b"\n" + line(MARIE).encode(), "directory-encoding"),
        (HEADER.encode() + b"\nrien|de|bon\n", "directory-bad-lines"),
        (HEADER.encode("utf-16"), "directory-encoding"),
        ((HEADER + "\n" + line(MARIE) + "\n" + line(MARIE)[:150]).encode(), "directory-truncated"),
        (b"PK\x03\x04 coupe", "directory-damaged"),
    ],
)
def test_what_is_not_the_extraction_is_refused(tmp_path: Path, octets: bytes, reason: str) -> None:
    """Each with its slug and a sentence, and the copy in force stays."""
    taken(tmp_path, lines(20))
    path = tmp_path / "fichier.txt"
    path.write_bytes(octets)
    problem = refused(tmp_path, path)
    assert problem.reason == reason
    assert MARIE not in problem.sentence
    assert ":" in problem.sentence


def test_a_file_that_is_older_or_lacks_much_waits_for_a_person(tmp_path: Path) -> None:
    """`--force` is the person's word; ten per cent less is still taken."""
    taken(tmp_path, lines(1000))
    assert refused(tmp_path, extraction(tmp_path, lines(1000), day="20261119")).reason == "directory-older"
    less = refused(tmp_path, extraction(tmp_path, lines(899), day="20261121"))
    assert (less.reason, less.forcible) == ("directory-mass-removal", True)
    assert "899" in less.sentence
    assert taken(tmp_path, lines(900), day="20261121").meta.rows == 900
    assert taken(tmp_path, lines(10), day="20261118", force=True).meta.rows == 10


def test_a_file_of_which_much_cannot_be_read_waits_for_a_person(tmp_path: Path) -> None:
    """Such as one that was saved in another encoding."""
    mixed = [one.replace("É", "E") if place % 2 else one for place, one in enumerate(lines(300))]
    path = extraction(tmp_path, "".join(one + "\n" for one in mixed).encode("latin-1", "replace"))
    problem = refused(tmp_path, path)
    assert problem.reason == "directory-bad-lines"
    assert "line-encoding" in problem.sentence
    assert import_file(options(tmp_path), path, force=True).meta.refused > 30


def test_a_cut_file_is_taken_by_force_without_its_last_line(tmp_path: Path) -> None:
    """The half line is a bad line then; a last line that only lacks its end is whole."""
    whole = "\n".join(lines(30)).encode()
    assert taken(tmp_path, whole).meta.rows == 30
    assert taken(tmp_path, whole[:-150], force=True).bad == [(31, "line-columns")]


def test_the_published_zip_is_taken(tmp_path: Path) -> None:
    """Its member gives name and date."""
    report = import_file(options(tmp_path), zipped(tmp_path, lines(500)))
    assert (report.meta.rows, report.meta.source) == (
        500,
        "Extraction_Correspondance_MSSante_202611200605.txt",
    )


def _bomb(archive: zipfile.ZipFile) -> None:
    archive.writestr("Extraction_Correspondance_MSSante_202611200605.txt", HEADER + "\n" + "0" * 5_000_000)


def _two(archive: zipfile.ZipFile) -> None:
    archive.writestr("a.txt", HEADER)
    archive.writestr("b.txt", HEADER)


def _many(archive: zipfile.ZipFile) -> None:
    for number in range(100):
        archive.writestr(f"{number}.md", "")


@pytest.mark.parametrize(
    ("fill", "reason"), [(_bomb, "directory-bomb"), (_two, "directory-zip"), (_many, "directory-zip")]
)
def test_hostile_archives_are_refused(
    tmp_path: Path, fill: Callable[[zipfile.ZipFile], None], reason: str
) -> None:
    """A bomb, two candidates, a crowd."""
    path = tmp_path / "annuaire.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        fill(archive)
    assert refused(tmp_path, path).reason == reason


def test_a_second_end_record_does_not_hide_a_crowd(tmp_path: Path) -> None:
    """ZIP64: the record that is looked at says one file, the one that is believed 70,000."""
    path = tmp_path / "annuaire.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(70_000):
            archive.writestr(str(number), b"")
    octets = path.read_bytes()
    at = octets.rfind(b"PK\x05\x06")
    lying = octets[at : at + 8] + struct.pack("<HHL", 1, 1, 46) + octets[at + 16 :]
    path.write_bytes(octets[:at] + lying)
    assert refused(tmp_path, path).reason == "directory-damaged"


def test_an_archive_that_lies_about_its_size_or_is_damaged_is_refused(tmp_path: Path) -> None:
    """What unpacks to more than it says, an octet changed, the end missing."""
    path = zipped(tmp_path, lines(2000))
    whole = path.read_bytes()
    dice = random.Random(3)
    for _ in range(20):
        octets = bytearray(whole)
        octets[dice.randrange(200, len(octets) // 2)] ^= 0xFF
        path.write_bytes(octets)
        assert refused(tmp_path, path).reason == "directory-damaged"
    path.write_bytes(whole[: len(whole) // 2])
    assert refused(tmp_path, path).reason == "directory-damaged"


def test_sizes_are_bounded(tmp_path: Path) -> None:
    """The file itself, and what a ZIP announces."""
    bounds = options(tmp_path, max_bytes=10_000)
    for make in (zipped, extraction):
        path = make(tmp_path, lines(100))
        with pytest.raises(DirectoryProblem) as raised:
            import_file(bounds, path)
        assert raised.value.reason == "directory-too-large"


@settings(max_examples=60, deadline=None, suppress_health_check=FOR_EACH_EXAMPLE)
@given(data=st.data())
def test_however_it_is_cut_the_rows_are_the_same(
    tmp_path: Path, data: st.DataObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of any size give the same rows and the same bad lines."""
    body = data.draw(
        st.lists(
            st.sampled_from([line(MARIE), "x|y", "", line("é@x.fr"), line("b@c.fr", person=("ŒUVRE", "ZOÉ"))])
        )
    )
    octets = "\n".join(body).encode() + data.draw(st.sampled_from([b"", b"\n", b"\xff|\n"]))
    path = extraction(tmp_path, octets)

    def read(block: int) -> tuple[object, ...]:
        monkeypatch.setattr("mss_gateway.directory.source.BLOCK", block)
        tally = Tally(1000)
        found: list[object] = []
        with opened(path, 10**6) as source:
            try:
                for batch in batches(source, tally, lambda octets: None, whole=False):
                    found += batch
            except DirectoryProblem as problem:
                found.append(problem.reason)
        return found, tally.bad, tally.refused

    assert read(data.draw(st.integers(1, 400))) == read(1024 * 1024)


@settings(max_examples=150, deadline=None, suppress_health_check=FOR_EACH_EXAMPLE)
@given(octets=st.binary(max_size=300), header=st.booleans())
def test_no_octets_cause_anything_but_a_problem(tmp_path: Path, octets: bytes, header: bool) -> None:
    """Hostile input ends in rows, bad lines or `DirectoryProblem`."""
    path = tmp_path / "fichier"
    path.write_bytes((HEADER.encode() + b"\n" if header else b"") + octets)
    tally = Tally(10)
    with contextlib.suppress(DirectoryProblem), opened(path, 10**6) as source:
        for rows in batches(source, tally, lambda octets: None):
            assert all("@" in key for key, _, _ in rows)
