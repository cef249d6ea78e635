"""`ins show` says what MonSisra shows, `ins check` confirms traits for software (INS-4, INS-5)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.commands import Site, run
from tests.support.identities import CORSE, HEADER, ZOE, csv_line

KNOWN = "285037728417346"  # the worked example that is published with its sentence
TRAITS = ("--sex", "F", "--born", "1985-03-31", "--department", "77")


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without a configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MSS_GATEWAY_CONFIG", raising=False)
    return tmp_path


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A registry that knows two identities."""
    made = Site(tmp_path, empty=True)
    made.json("ins", "import", made.file("\n".join((HEADER, csv_line(ZOE), csv_line(CORSE)))))
    return made


@pytest.mark.req("INS-4")
@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(
    "typed",
    [KNOWN, "2 85 03 77 284 173 46", "2 85 03\u00a077 284\u202f173 46", f"{KNOWN}@patient.mssante.fr"],
)
def test_the_three_lines_of_the_screen(typed: str) -> None:
    """Without any configuration; the number in any dress."""
    status, said = run("ins", "show", typed)
    assert (status, said) == (0, "Une femme\nNée en mars 1985\nNée dans le département 77\n")


@pytest.mark.req("INS-4", "INS-7")
@pytest.mark.usefixtures("nowhere")
def test_json_has_the_sentence_and_no_whole_number() -> None:
    status, said = run("ins", "show", KNOWN, "--json")
    assert status == 0
    assert KNOWN[5:13] not in said
    shown = json.loads(said)
    assert shown["sentence"] == "Une femme, née en mars 1985, dans le département 77"
    assert (shown["ins"], shown["masked"]) == ("2 85 03 ** *** *** **", "2 85 03 ** *** *** **")
    assert (shown["sex"], shown["year"], shown["month"], shown["department"]) == ("2", 85, 3, "77")
    assert (shown["key_holds"], shown["identity"]) == (True, None)


@pytest.mark.req("INS-4", "INS-7")
@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(
    ("typed", "status"), [("285037728417347", 1), ("28503772841734", 2), ("985037728417346", 2)]
)
def test_wrong_numbers(typed: str, status: int) -> None:
    """1 when only the key is wrong, 2 when it is no INS; the number is not repeated."""
    found, said = run("ins", "show", typed)
    assert found == status
    assert typed[5:] not in said
    assert ("Attention : la clé" in said) == (status == 1)


@pytest.mark.req("INS-4")
@pytest.mark.usefixtures("nowhere")
def test_a_number_from_standard_input() -> None:
    """So that no list of processes shows it."""
    assert run("ins", "show", "-", stdin=f"{KNOWN}\n") == run("ins", "show", KNOWN)
    assert run("ins", "check", "-", *TRAITS, stdin=KNOWN)[0] == 0


@pytest.mark.req("INS-4")
def test_a_configuration_that_is_named_must_be_there(nowhere: Path) -> None:
    """Only the default file may be absent."""
    assert run("ins", "show", KNOWN, "--config", str(nowhere / "x.toml"))[0] == 1


@pytest.mark.req("INS-4", "INS-5")
def test_the_registrys_word_is_shown_with_the_number(site: Site) -> None:
    status, said = site.run("ins", "show", ZOE["ins"])
    assert status == 0
    assert said.startswith("Une femme\nNée en décembre 1975\nNée dans le département 63\n")
    assert "QUAL" in said
    assert ZOE["ins"] not in said
    identity = site.json("ins", "show", ZOE["ins"])["identity"]
    assert {name: identity[name] for name in ZOE if name != "ins"} == {
        k: v for k, v in ZOE.items() if k != "ins"
    }
    assert site.json("ins", "show", KNOWN)["identity"] is None


@pytest.mark.req("INS-4")
@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("born", ["1985-03-31", "1985-03", "03/1985", "31/03/1985", "12/03/1985"])
def test_traits_that_agree_end_with_0(born: str) -> None:
    status, said = run("ins", "check", KNOWN, "--sex", "F", "--born", born, "--department", "77")
    assert (status, said) == (0, "Les traits correspondent.\n")


@pytest.mark.req("INS-4", "INS-7")
@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("--sex", "M", "sexe"),
        ("--born", "1986-03", "année"),
        ("--born", "04/1985", "mois"),
        ("--department", "78", "département"),
    ],
)
def test_a_trait_that_does_not_agree_ends_with_1_and_is_named(option: str, value: str, word: str) -> None:
    """In French, and without the number."""
    words = dict(zip(TRAITS[::2], TRAITS[1::2], strict=True)) | {option: value}
    status, said = run("ins", "check", KNOWN, *(word for pair in words.items() for word in pair))
    assert status == 1
    assert word in said.lower()
    assert len(said.splitlines()) == 1
    assert KNOWN[5:13] not in said


@pytest.mark.req("INS-4")
@pytest.mark.usefixtures("nowhere")
def test_a_wrong_key_agrees_with_nobody() -> None:
    status, said = run("ins", "check", "285037728417347", *TRAITS, "--json")
    assert status == 1
    assert [one["trait"] for one in json.loads(said)["mismatches"]] == ["key"]


@pytest.mark.req("INS-4")
@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(
    "words",
    [
        ("285", *TRAITS),
        (KNOWN, "--sex", "X", *TRAITS[2:]),
        (KNOWN, *TRAITS[:2], "--born", "hier", *TRAITS[4:]),
        (KNOWN, *TRAITS[:4], "--department", "Paris"),
        (KNOWN, *TRAITS[:4]),
        (KNOWN,),
        (),
    ],
)
def test_wrong_arguments_end_with_2(words: tuple[str, ...]) -> None:
    status, said = run("ins", "check", *words)
    assert status == 2
    assert KNOWN not in said


@pytest.mark.req("INS-4", "INS-5")
def test_the_registrys_fuller_identity_is_used(site: Site) -> None:
    """It knows the day, which the number does not tell."""
    common = ("ins", "check", ZOE["ins"], "--sex", "F", "--department", "63", "--born")
    right = site.json(*common, "1975-12-31")
    assert (right["agrees"], right["registry"]) == (True, "QUAL")
    wrong = site.json(*common, "1975-12-30", status=1)
    assert [one["trait"] for one in wrong["mismatches"]] == ["day"]
    assert ZOE["ins"][5:13] not in str(wrong)
    unknown = site.json("ins", "check", KNOWN, *TRAITS)
    assert (unknown["agrees"], unknown["registry"]) == (True, None)


@pytest.mark.req("INS-2", "INS-4")
def test_in_the_realm_of_tests_a_wrong_key_is_no_objection(tmp_path: Path) -> None:
    site = Site(tmp_path, empty=True, realm="test")
    assert site.json("ins", "check", "285037728417347", *TRAITS)["agrees"] is True


@pytest.mark.req("INS-5")
def test_the_registry_is_counted(site: Site) -> None:
    status, said = site.run("ins", "list")
    assert status == 0
    assert "total" in said
    assert site.json("ins", "list")["counts"] == {"PROV": 0, "RECUP": 0, "VALI": 1, "QUAL": 1}
    assert site.run("ins", "list", "--status", "XXX")[0] == 2
