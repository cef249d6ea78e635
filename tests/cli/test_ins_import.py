"""`ins import`: the good lines are kept, the bad ones named, in every spelling of a file (INS-5)."""

from __future__ import annotations

import contextlib
import os
import pty
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.cli.importing import SOME_REFUSED
from mss_gateway.cli.ins import COLUMNS, REQUIRED
from mss_gateway.ops.tabular import LINE_LIMIT, BadTable, rows
from tests.support.commands import Site
from tests.support.identities import CORSE, HEADER, WRONG_KEY, ZOE, csv_line, made_up, number
from tests.support.identities import rows as any_row
from tests.support.process import GatewayProcess
from tests.support.properties import FOR_EACH_EXAMPLE


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway that the commands talk to."""
    process = GatewayProcess(tmp_path)
    yield process
    assert process.stop() == 0


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An empty store that no gateway has open."""
    return Site(tmp_path, empty=True)


def table(*rows: dict[str, str], end: str = "\n") -> str:
    """A file of these rows."""
    return end.join((HEADER, *(csv_line(row) for row in rows))) + end


@pytest.mark.req("INS-5", "INS-7")
def test_bad_lines_are_named_and_the_good_ones_kept(site: Site) -> None:
    """Numbers count from the heading; blank lines count but say nothing; no INS, no name in what is said."""
    lines = [
        HEADER,
        csv_line(ZOE),
        "",
        csv_line(CORSE | {"sex": "F"}),
        csv_line(CORSE | {"ins": "180032B02040124"}),
        csv_line(CORSE) + ";;",
        csv_line(CORSE) + ";trop",
        csv_line(ZOE).replace("ADRUN", '"ADRUN'),
        ";".join([CORSE["ins"], CORSE["oid"], "CORSE"]),
        csv_line(CORSE | {"family": "X" * LINE_LIMIT}),
        csv_line(ZOE | {"status": "VALI"}),
    ]
    path = site.file("\r\n".join(lines))
    result = site.json("ins", "import", path, status=SOME_REFUSED)
    assert (result["imported"], result["unchanged"]) == (2, 1)
    assert [(bad["line"], bad["reason"]) for bad in result["refused"]] == [
        (4, "identity-sex-ins"),
        (5, "ins-key"),
        (7, "line-fields"),
        (8, "line-quotes"),
        (9, "identity-name"),
        (10, "line-length"),
    ]
    status, said = site.run("ins", "import", path)
    assert status == SOME_REFUSED
    assert "line 8 refused" in said
    assert "0 imported, 3 unchanged, 6 refused" in said
    for secret in (ZOE["ins"][:13], CORSE["ins"][:13], "ADRUN", "ANTHONY"):
        assert secret not in said
        assert secret not in str(result)


@pytest.mark.req("INS-5")
def test_again_is_unchanged_and_dry_run_writes_nothing(site: Site) -> None:
    """What would be imported is counted as an import counts it."""
    path = site.file(table(ZOE, CORSE))
    assert site.json("ins", "import", path, "--dry-run")["imported"] == 2
    assert site.json("ins", "list")["total"] == 0
    assert site.json("ins", "import", path)["imported"] == 2
    path = site.file(table(ZOE, CORSE | {"status": "QUAL"}))
    dry = site.json("ins", "import", path, "--dry-run")
    assert (dry["imported"], dry["unchanged"]) == (1, 1)
    assert site.json("ins", "list")["counts"] == {"PROV": 0, "RECUP": 0, "VALI": 1, "QUAL": 1}
    done = site.json("ins", "import", path)
    assert (done["imported"], done["unchanged"]) == (1, 1)
    listed = site.json("ins", "list", "--status", "qual")
    assert [one["ins"] for one in listed["identities"]] == ["1 80 03 ** *** *** **", "2 75 12 ** *** *** **"]


@pytest.mark.req("INS-5")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_of_every_office_are_read(site: Site, encoding: str, delimiter: str, end: str) -> None:
    """The given names keep their accents, whatever the file is written in."""
    row = ZOE | {"given": "ZOÉ, ANAÏS" if delimiter != "," else "ZOÉ ANAÏS"}
    text = end.join((HEADER.replace(";", delimiter), csv_line(row, delimiter))) + end
    assert site.json("ins", "import", site.file(text.encode(encoding)))["imported"] == 1
    assert site.json("ins", "show", ZOE["ins"])["identity"]["given"] == row["given"]


@pytest.mark.req("INS-5")
@pytest.mark.parametrize("header", [HEADER, HEADER.replace("é", "e")], ids=["accents", "ascii"])
def test_one_foreign_line_does_not_change_the_reading_of_the_others(site: Site, header: str) -> None:
    """A file in UTF-8 with a line of Windows-1252 in it: that line is refused, the names of the rest are right."""
    good = [ZOE | {"given": "ZOÉ"}, CORSE | {"given": "ANTHONÝ"}]
    text = table(*good).replace(HEADER, header).encode() + csv_line(ZOE | {"family": "ADRÛN"}).encode(
        "cp1252"
    )
    result = site.json("ins", "import", site.file(text), status=SOME_REFUSED)
    assert [(bad["line"], bad["reason"]) for bad in result["refused"]] == [(4, "line-encoding")]
    assert site.json("ins", "show", CORSE["ins"])["identity"]["given"] == "ANTHONÝ"


@pytest.mark.req("INS-5")
@pytest.mark.parametrize(
    "header",
    [
        "ins,oid,birth name,birth given names,sex,birth date,birth place,status",
        "Matricule INS,Autorité,Nom naissance,Liste des prénoms,SEXE,Date naissance,Code INSEE,Statut identité",
        '"INS","OID","NOM_DE_NAISSANCE","PRENOMS","Gender","Date of birth","LieuNaissance","Status"',
    ],
)
def test_headings_in_french_and_english(site: Site, header: str) -> None:
    text = f"{header}\n{csv_line(ZOE, ',')}\n"
    assert site.json("ins", "import", site.file(text))["imported"] == 1


@pytest.mark.req("INS-5")
def test_the_form_of_the_teleservice(site: Site) -> None:
    """Matricule and key apart, another order, columns nobody asked for, the OID told once, French dates and words."""
    text = (
        "Remarque;NumIdentifiant;Cle;NomNaissance;Prenom;ListePrenom;Sexe;DateNaissance;LieuNaissance;Statut\n"
        "x;2751263220749;74;ADRUN;ZOE;ZOE ANNE;Femme;31/12/1975;63220;qual\n"
    )
    path = site.file(text)
    assert site.json("ins", "import", path, status=SOME_REFUSED)["refused"][0]["reason"] == "identity-oid"
    assert site.json("ins", "import", path, "--oid", ZOE["oid"])["imported"] == 1
    shown = site.json("ins", "show", ZOE["ins"])["identity"]
    assert (shown["given"], shown["born"], shown["sex"]) == ("ZOE ANNE", "1975-12-31", "F")


@pytest.mark.req("INS-5", "INS-7")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        csv_line(ZOE) + "\n",
        HEADER.replace("Statut", "Autre") + "\n" + csv_line(ZOE) + "\n",
        (HEADER + "\n" + csv_line(ZOE)).encode("utf-16"),
    ],
)
def test_what_is_no_table_is_refused_whole(site: Site, text: str | bytes) -> None:
    """Exit 2 with a sentence that repeats nothing of the file."""
    status, said = site.run("ins", "import", site.file(text))
    assert status == 2, said
    assert ZOE["ins"][:13] not in said
    assert site.json("ins", "list")["total"] == 0


@pytest.mark.req("INS-7", "INS-5")
def test_a_file_named_after_a_patient_is_named_masked(site: Site) -> None:
    """In the registry, and where the file is no table."""
    site.json("ins", "import", site.file(table(ZOE), f"{ZOE['ins']}.csv"))
    listed = site.json("ins", "list", "--status", "QUAL")["identities"]
    assert [one["source"] for one in listed] == ["2 75 12 ** *** *** **.csv"]
    status, said = site.run("ins", "import", site.file("rien\n", f"{ZOE['ins']}.csv"))
    assert status == 2
    assert ZOE["ins"] not in said


@pytest.mark.req("INS-5", "INS-2")
def test_a_wrong_key_in_the_realm_of_tests_is_told_and_kept(tmp_path: Path) -> None:
    site = Site(tmp_path, empty=True, realm="test")
    row = ZOE | {"ins": WRONG_KEY, "sex": "M", "born": "1981-03-04", "oid": "1.2.250.1.213.1.4.10"}
    result = site.json("ins", "import", site.file(table(row)))
    assert (result["imported"], result["refused"]) == (1, [])
    assert [(line["line"], line["reason"]) for line in result["warned"]] == [(2, "ins-key")]
    assert "line 2 kept" in site.run("ins", "import", site.file(table(row)))[1]


@pytest.mark.req("INS-5")
def test_ten_thousand_lines_with_some_bad_ones(site: Site) -> None:
    """Each hundredth line is wrong; all others are in the registry, counted by status."""
    many = [row | ({"sex": "X"} if index % 100 == 50 else {}) for index, row in enumerate(made_up(10_000))]
    result = site.json("ins", "import", site.file(table(*many)), status=SOME_REFUSED)
    assert (result["imported"], len(result["refused"])) == (9900, 100)
    assert [bad["line"] for bad in result["refused"]] == list(range(52, 10_002, 100))
    assert site.json("ins", "list")["total"] == 9900


@pytest.mark.req("INS-5", "OPS-1")
def test_the_running_gateway_takes_an_import(gateway: GatewayProcess, tmp_path: Path) -> None:
    """Through its control socket, in batches; it knows them at once."""
    path = tmp_path / "essai.csv"
    path.write_text(table(*made_up(1200), CORSE, ZOE | {"place": "?"}), encoding="utf-8")
    command = [sys.executable, "-m", "mss_gateway", "ins"]
    words = ["--config", str(gateway.config)]
    done = subprocess.run(
        [*command, "import", str(path), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == SOME_REFUSED, done.stderr
    assert "1201 imported, 0 unchanged, 1 refused" in done.stdout
    assert done.stderr == ""  # no bar where nobody looks at a terminal
    shown = subprocess.run(
        [*command, "show", CORSE["ins"], *words], capture_output=True, text=True, check=True
    )
    assert "ANTHONY" in shown.stdout
    assert CORSE["ins"] not in gateway.log.read_text(encoding="utf-8")


@pytest.mark.req("INS-5", "OPS-1")
def test_a_gateway_that_stops_meanwhile_ends_the_import(site: Site) -> None:
    """Exit 6, and not half of it in process beside a gateway that comes back."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(site.folder / "control.sock"))
        listener.listen()

        def answer_once() -> None:
            peer, _ = listener.accept()
            with peer, peer.makefile("rb") as requests:
                requests.readline()
                listener.close()
                peer.sendall(b'{"ok": true, "result": {}}\n')

        thread = threading.Thread(target=answer_once)
        thread.start()
        status, said = site.run("ins", "import", site.file(table(ZOE)))
        thread.join()
    assert status == 6
    assert "stopped meanwhile" in " ".join(said.split())
    assert not (site.folder / "store").exists()


@pytest.mark.req("INS-5")
def test_a_terminal_shows_a_bar(site: Site) -> None:
    """On standard error, with the name of the file; standard output keeps the result alone."""
    path = site.file(table(*made_up(600)))
    master, slave = pty.openpty()
    shown: list[bytes] = []

    def read() -> None:
        """All of it, while it comes: a terminal that nobody reads is full soon, and the program would wait."""
        with contextlib.suppress(OSError):  # how a terminal ends
            while octets := os.read(master, 65536):
                shown.append(octets)

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    command = [sys.executable, "-m", "mss_gateway", "ins", "import", path, "-c", str(site.config)]
    done = subprocess.run(
        command,
        stderr=slave,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(slave)
    reading.join()
    os.close(master)
    said = b"".join(shown).decode()
    assert "100%" in said
    assert "essai.csv" in said
    assert done.stdout == "600 imported, 0 unchanged, 0 refused\n"


@given(st.binary(max_size=300) | st.text(HEADER + '"\n;,\t', max_size=300).map(str.encode), st.booleans())
@settings(max_examples=150, suppress_health_check=FOR_EACH_EXAMPLE)
def test_any_octets_are_lines_or_no_table(tmp_path: Path, octets: bytes, with_heading: bool) -> None:
    """Every line has fields or a reason; the sizes add up to the file's, blank lines aside."""
    path = tmp_path / "any.csv"
    path.write_bytes((HEADER.encode() + b"\n" if with_heading else b"") + octets)
    try:
        found = list(rows(path, COLUMNS, REQUIRED))
    except BadTable:
        assert not with_heading
        return
    assert all((line.fields is None) == bool(line.reason) for line in found[1:])
    assert sum(line.size for line in found) <= path.stat().st_size


@pytest.mark.req("INS-5")
@given(
    st.lists(any_row(), min_size=1, max_size=5),
    st.sampled_from([";", "\t"]),
    st.sampled_from(["utf-8", "cp1252"]),
)
@settings(max_examples=60, suppress_health_check=FOR_EACH_EXAMPLE)
def test_any_valid_rows_are_read_as_they_were_written(
    tmp_path: Path, written: list[dict[str, str]], delimiter: str, encoding: str
) -> None:
    path = tmp_path / "any.csv"
    lines = [HEADER.replace(";", delimiter), *(csv_line(row, delimiter) for row in written)]
    path.write_bytes("\n".join(lines).encode(encoding))
    assert [line.fields for line in list(rows(path, COLUMNS, REQUIRED))[1:]] == written


def test_numbers_of_the_tests_have_keys_that_hold() -> None:
    """The numbers made up here are made as the published ones are."""
    assert number("2", date(1975, 12, 31), "63220", 749) == ZOE["ins"]
    assert number("1", date(1980, 3, 2), "2B020", 401) == CORSE["ins"]
