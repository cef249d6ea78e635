"""`bal import`: mailboxes from a file, with a plan, a guard, and bad lines left out (BAL-1..5, BAL-9)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import Site

RPPS, OTHER = "810000000009", "810000000017"
FINESS = "1750000000"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """The sample's mailboxes, no gateway running."""
    return Site(tmp_path)


@pytest.fixture
def domain(site: Site) -> str:
    """A domain hosted by the sample."""
    return site.handout.account("PER").address.partition("@")[2]


HEAD = "Adresse;Type;Nom;Structure;Responsable;Identifiant national;Membres;État;Quota;Motif\r\n"


def good(domain: str) -> str:
    """A PER, an ORG with members, an APP that may use a password."""
    return (
        f'anne.essai@{domain};PER;"Essai; Anne";{FINESS};;{RPPS};;;10G;\r\n'
        f"accueil@{domain};org;Accueil;{FINESS};{RPPS};;anne.essai@{domain} paul;;;\r\n"
        f"\r\n"
        f"automate@{domain};APP;Automate;{FINESS};{RPPS};;;suspendu;;en essai\r\n"
    )


@pytest.mark.req("BAL-1", "BAL-2", "BAL-3", "BAL-5", "BAL-9")
def test_a_file_provisions_and_the_same_again_changes_nothing(site: Site, domain: str) -> None:
    path = site.file(b"\xef\xbb\xbf" + (HEAD + good(domain)).encode())
    planned = site.json("bal", "import", path, "--dry-run")
    assert (planned["created"], planned["updated"]) == (3, 0)
    assert site.run("bal", "show", f"anne.essai@{domain}")[0] == 3
    done = site.json("bal", "import", path)
    assert {name: done[name] for name in ("created", "updated", "unchanged", "refused")} == {
        "created": 3,
        "updated": 0,
        "unchanged": 0,
        "refused": [],
    }
    assert [one["reason"] for one in done["warned"]] == ["app-login"]
    person = site.json("bal", "show", f"anne.essai@{domain}")["bal"]
    assert (person["display"], person["bytes_limit"], person["state"]) == (
        "Essai; Anne",
        10 * 2**30,
        "active",
    )
    assert [(one["role"], one["national_id"]) for one in person["people"]] == [("holder", RPPS)]
    office = site.json("bal", "show", f"accueil@{domain}")["bal"]
    assert (office["type"], office["structure"], office["responsible"]) == ("ORG", FINESS, RPPS)
    assert {one["login"] for one in office["people"]} == {f"anne.essai@{domain}", "paul"}
    robot = site.json("bal", "show", f"automate@{domain}")["bal"]
    assert (robot["state"], robot["state_reason"]) == ("suspended", "en essai")
    again = site.json("bal", "import", path)
    assert (again["created"], again["updated"], again["unchanged"], again["plan"]) == (0, 0, 3, [])
    status = site.json("bal", "import", "--status")["imports"]
    assert [(one["source"], one["unchanged"]) for one in status] == [(path, 3)]
    assert site.json("person", "show", f"anne.essai@{domain}")["person"]["password"] is False


@pytest.mark.req("BAL-1", "BAL-2", "BAL-3", "BAL-5")
def test_bad_lines_are_listed_with_their_reasons_and_the_good_ones_kept(site: Site, domain: str) -> None:
    holder = site.handout.account("PER").address
    patient = site.handout.account("PAT").address
    bad = [
        ("sans-arobase;PER;;;;810000000009;;;;", None),
        (f"a@{domain};XYZ;;;;;;;;", "box-type"),
        (f"b@{domain};PER;;;;810000000008;;;;", "rpps-key"),
        (f"c@{domain};PER;;;;;;;;", "national-id"),
        (f"d@{domain};ORG;;;810000000009;;;;;", "structure-id"),
        (f"e@{domain};ORG;;{FINESS};;;;;;", "national-id"),
        ("f@example.org;PER;;;;810000000009;;;;", "domain-not-hosted"),
        (f"g@{domain};PER;;;;810000000009;;parti;;", "box-state"),
        (f"h@{domain};PER;;;;810000000009;;;beaucoup;", "quota-size"),
        (f"i@{domain};PER;;;;810000000009;paul;;;", "role"),
        (f"j@{domain};PER;;;;810000000009;;fermé;;", "state-transition"),
        (f"{holder};ORG;;{FINESS};{RPPS};;;;;", "type-change"),
        (f"{holder};PER;;;;;;;;", "double-row"),
        (f'k@{domain};PER;"ouvert;;;810000000009;;;;', "line-quotes"),
        (f"l@{domain};PER;;;;810000000009;;;;;;;trop", "line-fields"),
        (f"m@{domain};ORG;;{FINESS};{RPPS};;{patient};;;", "patient-login"),
    ]
    path = site.file(HEAD + "".join(f"{line}\r\n" for line, _ in bad) + good(domain))
    done = site.json("bal", "import", path, status=7)
    assert done["created"] == 3
    assert [line["line"] for line in done["refused"]] == list(range(2, 2 + len(bad)))
    found = {line["line"]: line["reason"] for line in done["refused"]}
    assert [found[number] for number in range(3, 2 + len(bad))] == [reason for _, reason in bad[1:]]
    assert patient.partition("@")[0] not in str(done)
    said = site.run("bal", "import", path)[1]
    assert "line 3 refused" in said
    assert "[box-type]" in said


@pytest.mark.req("BAL-2")
def test_a_mailbox_is_never_given_to_another_holder_by_a_file(site: Site, domain: str) -> None:
    site.json("bal", "import", site.file(HEAD + good(domain)))
    path = site.file(
        f"address,type,national_id,login\nanne.essai@{domain},PER,{OTHER},\nx@{domain},PER,{OTHER},anne.essai@{domain}\n"
    )
    refused = site.json("bal", "import", path, status=7)["refused"]
    assert [line["reason"] for line in refused] == ["holder-change", "national-id-mismatch"]
    # A second mailbox of the same professional goes to the login that they have.
    path = site.file(f"address,type,national_id\nsecond@{domain},PER,{RPPS}\n")
    site.json("bal", "import", path)
    people = site.json("bal", "show", f"second@{domain}")["bal"]["people"]
    assert [one["login"] for one in people] == [f"anne.essai@{domain}"]


@pytest.mark.req("BAL-5")
def test_reconcile_shows_a_plan_and_closes_only_what_it_may(site: Site, domain: str) -> None:
    kept = [one["address"] for one in site.json("bal", "list")["bals"]]
    types = {one["address"]: one["type"] for one in site.json("bal", "list")["bals"]}
    site.json("bal", "import", site.file(HEAD + good(domain)))
    rows = "".join(f"{address},{types[address]},,\n" for address in kept)
    rows += f"accueil@{domain},ORG,paul,Accueil central\n"
    path = site.file(f"address,type,members,display\n{rows}")
    planned = site.json("bal", "import", path, "--reconcile", "--dry-run")
    assert (planned["updated"], planned["unchanged"], planned["missing"]) == (1, len(kept), 2)
    assert planned["plan"][0]["changes"] == ["display", "people"]
    assert site.run("bal", "import", path, "--close-missing")[0] == 2
    status, said = site.run(
        "bal", "import", path, "--reconcile", "--close-missing", "--yes", "--close-at-most", "1"
    )
    assert (status, "are not in the file, more than 1 %" in said) == (5, True)
    assert site.json("bal", "show", f"accueil@{domain}")["bal"]["display"] == "Accueil"
    status, said = site.run("bal", "import", path, "--reconcile", "--close-missing", "--yes", "--force")
    assert (status, "2 closed" in said) == (0, True)
    assert f"update  accueil@{domain}  display, people" in said
    assert f"close   anne.essai@{domain}" in said
    closed = site.json("bal", "list", "--state", "closed")["bals"]
    assert {one["address"] for one in closed} == {f"anne.essai@{domain}", f"automate@{domain}"}
    assert all(one["state_reason"].startswith("not in essai.csv") for one in closed)
    office = site.json("bal", "show", f"accueil@{domain}")["bal"]
    assert [one["login"] for one in office["people"]] == ["paul"]
    again = site.json("bal", "import", path, "--reconcile", "--close-missing")
    assert (again["updated"], again["missing"], again["closed"]) == (0, 0, 0)


@pytest.mark.req("BAL-5")
def test_nothing_is_closed_when_a_line_cannot_be_read(site: Site, domain: str) -> None:
    """The mailbox on it may be the one that seems to be missing."""
    path = site.file(f"address,type\nillisible,PER\nz@{domain},PER\n")
    status, said = site.run("bal", "import", path, "--reconcile", "--close-missing", "--close-at-most", "100")
    assert (status, "nobody knows what is missing" in said) == (5, True)
    assert site.json("bal", "list", "--state", "closed")["bals"] == []


@pytest.mark.req("BAL-5")
def test_a_file_that_is_no_table_of_mailboxes(site: Site) -> None:
    for content in (b"", b"\0\0\0", b"a;b;c\n1;2;3\n", b"\xff\xfe", b"address\nx@y.fr\n", b"\n\n\n"):
        assert site.run("bal", "import", site.file(content))[0] == 2, content
    assert site.run("bal", "import", str(site.folder / "absent.csv"))[0] == 6
    assert site.run("bal", "import")[0] == 2


@pytest.mark.req("BAL-1")
def test_many_rows_are_taken_in_batches(site: Site, domain: str) -> None:
    """More than one request holds, each mailbox with its folders."""
    rows = "".join(f"lot{n}@{domain};ORG;Lot {n};{FINESS};{RPPS};;;;;\n" for n in range(700))
    path = site.file(HEAD + rows)
    assert site.json("bal", "import", path)["created"] == 700
    assert site.json("bal", "import", path)["unchanged"] == 700
