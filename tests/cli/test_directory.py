"""`mss-gateway directory …` and what else shows the national directory: `explain`, `doctor`, a running gateway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest

from mss_gateway.dev.pki import write_file
from mss_gateway.dev.steps_directory import DIRECTORY
from mss_gateway.dev.tour import Stage
from tests.support.annuaire import extraction, line, lines
from tests.support.commands import Site
from tests.support.fhir import KEY, FhirServer, practitioner
from tests.support.process import GatewayProcess
from tests.support.publisher import publishing
from tests.support.trust import OURS, shared_pki

ZOE = "zoe.lefevre@medecin.mssante.fr"
BODY = [line(ZOE, number=5, person=("LEFÈVRE", "ZOÉ"), town=("77000", "MELUN")), *lines(40)]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message waits for the directory no longer than a moment; what a test asks it waits for."""
    monkeypatch.setattr("mss_gateway.directory.annuaire.PATIENCE", 60.0)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A configuration in whose state folder nothing was imported."""
    return Site(tmp_path, empty=True)


@pytest.fixture
def imported(site: Site) -> Site:
    """The same with a copy in force."""
    assert site.run("directory", "import", str(extraction(site.folder, BODY)))[0] == 0
    return site


@pytest.mark.req("OPS-1")
def test_import_tells_what_it_did_and_ends_with_7_when_lines_were_left_out(site: Site) -> None:
    """Numbers and reasons of bad lines, as many as asked for; never the lines."""
    path = extraction(site.folder, [*BODY, "secret|trop|court", line("sans arobase"), *lines(200, seed=2)])
    status, said = site.run("directory", "import", str(path))
    assert status == 7, said
    assert "line 43 left out" in said
    assert "[line-address]" in said
    assert "secret" not in said
    assert "241 rows" in said
    told = site.json("directory", "import", str(path), "--bad", "1", status=7)
    assert told["refused"] == [{"line": 43, "reason": "line-columns"}]
    assert (told["copy"]["rows"], told["copy"]["refused"], told["before"]["rows"]) == (241, 2, 241)


@pytest.mark.req("OPS-1")
def test_import_refuses_with_its_exit_code(imported: Site) -> None:
    """4 when a person must decide, 2 when it is no extraction; the copy in force stays."""
    older = extraction(imported.folder, BODY, day="20261101")
    assert imported.json("directory", "import", str(older), status=4)["reason"] == "directory-older"
    assert (
        imported.json("directory", "import", imported.file("autre"), status=2)["reason"] == "directory-format"
    )
    assert imported.json("directory", "status")["copy"]["rows"] == 41
    assert imported.run("directory", "import", str(older), "--force")[0] == 0
    assert "--force" in imported.run("directory", "import", str(extraction(imported.folder, BODY[:9])))[1]


@pytest.mark.req("OPS-1", "BAL-1")
def test_search_and_show(imported: Site) -> None:
    """A table for people, JSON for programs; 3 when nothing fits, 2 when nothing was asked."""
    status, said = imported.run("directory", "search", "lefevre", "zoe")
    assert status == 0
    assert "LEFÈVRE" in said
    found = imported.json(
        "directory", "search", "lefevre", "--department", "77", "--type", "per", "--limit", "1"
    )
    assert found["rows"][0]["address"] == ZOE
    assert imported.json("directory", "search", "nobody at all", status=3)["rows"] == []
    assert imported.json("directory", "search", status=2)["reason"] == "directory-question"
    assert imported.json("directory", "search", "x", "--type", "PERS", status=2)["reason"] == "bad-argument"
    assert imported.json("directory", "search", "x" * 400, status=2)["reason"] == "bad-argument"
    shown = imported.run("directory", "show", ZOE.upper())[1]
    assert "annuaire 2026-11-20" in shown
    assert imported.json("directory", "show", "a@b.fr", status=3)["reason"] == "directory-unknown"
    assert imported.json("directory", "show", "rien", status=2)["reason"] == "directory-question"


@pytest.mark.req("OPS-1")
def test_status_and_rollback(imported: Site) -> None:
    """Before anything, after an import, and back."""
    assert imported.json("directory", "rollback", "--yes", status=4)["reason"] == "directory-no-previous"
    assert (
        imported.run("directory", "import", str(extraction(imported.folder, lines(40), day="20261121")))[0]
        == 0
    )
    assert imported.json("directory", "status")["previous"]["rows"] == 41
    assert imported.json("directory", "rollback", "--yes")["copy"]["rows"] == 41
    status, said = imported.run("directory", "status")
    assert (status, "41 rows" in said, "before" in said) == (0, True, True)


def test_nothing_imported_yet(site: Site) -> None:
    """Each command says what to do."""
    assert site.run("directory", "status")[0] == 0
    assert site.json("directory", "search", "x", status=4)["reason"] == "directory-absent"
    assert site.json("directory", "show", ZOE, status=3)["reason"] == "directory-unknown"
    assert site.json("directory", "show", ZOE, "--online", status=4)["reason"] == "fhir-absent"
    assert site.run("directory", "export", str(site.folder / "a.vcf"), "x")[0] == 4


@pytest.mark.req("OPS-1")
def test_export_writes_an_address_book(imported: Site) -> None:
    """By the file's ending or as told; 3 when nothing fits; nothing is left half written."""
    for ending, sign in (("vcf", "BEGIN:VCARD"), ("ldif", "dn: mail="), ("csv", "adresse")):
        file = imported.folder / f"carnet.{ending}"
        told = imported.json("directory", "export", str(file), "lefevre", "zoe", "--department", "77")
        assert told["rows"] >= 1
        assert (sign if ending != "csv" else ZOE) in file.read_text(encoding="utf-8")
    assert imported.run("directory", "export", str(imported.folder / "x.doc"), "zoe")[0] == 2
    assert imported.run("directory", "export", str(imported.folder / "x.vcf"))[0] == 2
    assert imported.run("directory", "export", str(imported.folder / "x.vcf"), "rienquiaille")[0] == 3
    assert imported.run("directory", "export", str(imported.folder / "no" / "x.vcf"), "zoe")[0] == 6


@pytest.fixture
def online(site: Site) -> Iterator[FhirServer]:
    """The same site with the national API set up."""
    write_file(site.folder / "fhir-ca.pem", shared_pki().ca_pem)
    (site.folder / "fhir.key").write_text(KEY)
    with publishing(shared_pki().organisations.issue(OURS), site.folder) as publisher:
        server = FhirServer(publisher, [practitioner(ZOE, "10000000005", "LEFÈVRE", "Zoé")])
        section = f'\n[directory]\nfhir_url = "{server.base}"\nfhir_key_file = "fhir.key"\nfhir_ca = ["fhir-ca.pem"]\n'
        site.config.write_text(site.config.read_text(encoding="utf-8") + section, encoding="utf-8")
        yield server


@pytest.mark.req("OPS-1")
def test_the_national_api_is_asked_when_it_is_wanted(site: Site, online: FhirServer) -> None:
    """Search and show; what was seen is remembered; a fault of the server has its sentence."""
    assert site.json("directory", "search", "lefevre", "--online")["rows"][0]["name"] == "LEFÈVRE"
    assert site.json("directory", "show", ZOE, "--online")["rows"][0]["source"] == "online"
    assert site.json("directory", "show", ZOE)["rows"][0]["source"].startswith("annuaire online ")
    (site.folder / "fhir.key").write_text("autre")
    assert site.json("directory", "show", ZOE, "--online", status=6)["reason"] == "fhir-key"


@pytest.mark.req("BAL-1", "OPS-3")
def test_explain_shows_what_the_directory_knows_of_others(tmp_path: Path) -> None:
    """Type, name and where it is from, of the sender and of the recipient; decisions are what they were."""
    site = Site(tmp_path)
    foreign, ours = f"zoe.lefevre@{site.handout.operator.domain}", site.handout.account("PER").address
    message = EmailMessage()
    message["From"], message["To"], message["Message-ID"] = foreign, ours, "<1@x>"
    message.set_content("Bonjour")
    eml = site.file(message.as_bytes(), "m.eml")
    words = ("explain", eml, "--from", foreign, "--to", ours)
    before = site.json(*words)
    assert (
        site.run(
            "directory", "import", str(extraction(tmp_path, [line(foreign, person=("LEFÈVRE", "ZOÉ"))]))
        )[0]
        == 0
    )
    after = site.json(*words)
    listed = {
        "type": "PER",
        "name": "ZOÉ LEFÈVRE",
        "structure": "CENTRE HOSPITALIER DU PARC",
        "source": "annuaire 2026-11-20",
    }
    assert after["sender"]["type"] == "PER"
    assert after["sender"]["listed"] == listed
    assert after["recipients"] == before["recipients"]
    assert "annuaire 2026-11-20" in site.run(*words)[1]
    back = site.json("explain", eml, "--from", ours, "--to", foreign, status=1)  # its From is another's
    assert back["recipients"][0]["recipient"]["listed"] == listed


@pytest.mark.req("OPS-1", "BAL-1")
def test_compare_tells_what_is_published_and_what_is_here(tmp_path: Path) -> None:
    """Not here, of another type, not published; APP mailboxes are never published."""
    site = Site(tmp_path)
    per, org = site.handout.account("PER").address, site.handout.account("ORG").address
    domain = per.rpartition("@")[2]
    body = [line(f"parti@{domain}"), line(per.upper(), person=()), *lines(30)]
    assert site.run("directory", "import", str(extraction(tmp_path, body)))[0] == 0
    found = site.json("directory", "compare", status=1)
    assert found["published"] == 2
    assert found["absent"] == [{"address": f"parti@{domain}", "type": "PER", "state": "unknown"}]
    assert found["differing"] == [{"address": per, "published": "ORG", "type": "PER"}]
    unpublished = {one["address"]: one["type"] for one in found["unpublished"]}
    assert unpublished[org] == "ORG"
    assert set(unpublished.values()) <= {"PER", "ORG"}
    status, said = site.run("directory", "compare", "--limit", "1")
    assert status == 1
    assert "2 published, 1 of them not here, 1 of another type" in " ".join(said.split())


@pytest.mark.req("OPS-1", "OPS-2")
def test_a_running_gateway_takes_an_import_up_at_once(tmp_path: Path) -> None:
    """And the doctor and the figures tell of it; the steps of the tour hold."""
    gateway = GatewayProcess(tmp_path)
    try:
        site = Site(tmp_path, beside=gateway)
        assert site.json("directory", "search", "zoe", status=4)["reason"] == "directory-absent"
        assert site.run("directory", "import", str(extraction(tmp_path, BODY)))[0] == 0
        assert site.json("directory", "search", "lefevre zoe")["rows"]
        checks = json.loads(site.run("doctor", "--json")[1])["checks"]
        [check] = [one for one in checks if one["name"] == "national directory"]
        assert check["evidence"].startswith("41 rows of 2026-11-20")
        assert "mss_directory_rows 41" in site.run("figures")[1]
        stage = Stage(replace(gateway.handout, config=str(gateway.config)))
        assert [step.play(stage).split()[0] for step in DIRECTORY] == ["2001", "lefevre", "PER"]
    finally:
        gateway.stop()
