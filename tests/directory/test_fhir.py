"""The client of the national API against a server of its shape, well and badly behaved (domain 15.3)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.directory.annuaire import Annuaire
from mss_gateway.directory.copies import Copies
from mss_gateway.directory.desk import AnnuaireDesk
from mss_gateway.directory.fhir import MAX_PAGE, MAX_PAGES, FhirClient
from mss_gateway.directory.fhir_reading import mailboxes, next_link, resources
from mss_gateway.directory.options import FhirOptions
from mss_gateway.directory.problems import DirectoryProblem
from tests.support.annuaire import options
from tests.support.fhir import KEY, FhirServer, organization, practitioner, status
from tests.support.publisher import body, publishing, silent, unused_port
from tests.support.trust import OURS, shared_pki

BOMB = gzip.compress(b" " * 50_000_000)  # 48 KB, which nobody has asked for packed
MARIE = "marie.martin@medecin.mssante.fr"
PEOPLE = [
    practitioner(MARIE, "10000000001", "MARTIN", "Marie"),
    practitioner(
        "cab.martin@x.mssante.fr", "10000000002", "MARTIN", "Luc", kind="CAB", form="valueCodeableConcept"
    ),
    organization("urgences.martin@x.mssante.fr", "770000123", "CLINIQUE DES LILAS"),
    organization(
        "robot.martin@x.mssante.fr", "770000123", "CLINIQUE DES LILAS", kind="APP", form="valueCode"
    ),
]


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The authorities of the server."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    path.write_bytes(shared_pki().ca_pem)
    return path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FhirServer]:
    """Over TLS, on loopback."""
    with publishing(shared_pki().organisations.issue(OURS), tmp_path) as publisher:
        yield FhirServer(publisher, list(PEOPLE))


@pytest.fixture
def fhir(server: FhirServer, ca: Path, tmp_path: Path) -> FhirOptions:
    """Options that lead to it."""
    (tmp_path / "key").write_text(KEY + "\n")
    return FhirOptions(server.base, tmp_path / "key", (ca,), 60.0)


def client(options: FhirOptions) -> FhirClient:
    """One that does not wait long between two tries."""
    return FhirClient(options, first_wait=0.01)


async def problem(options: FhirOptions) -> str:
    """The slug that a question ends with."""
    with pytest.raises(DirectoryProblem) as raised:
        await client(options).search("martin", 1000)
    assert KEY not in raised.value.sentence
    return raised.value.reason


async def test_mailboxes_of_every_type_are_read(fhir: FhirOptions) -> None:
    """PER and CAB of professionals, ORG and APP of structures, the type as code and as concept."""
    found = {one["address"]: one for one in await client(fhir).search("martin", 100)}
    assert {address: one["type"] for address, one in found.items()} == {
        MARIE: "PER",
        "cab.martin@x.mssante.fr": "CAB",
        "urgences.martin@x.mssante.fr": "ORG",
        "robot.martin@x.mssante.fr": "APP",
    }
    assert found[MARIE]["national_id"] == "810000000001"
    assert (found[MARIE]["name"], found[MARIE]["first_name"], found[MARIE]["title"]) == (
        "MARTIN",
        "Marie",
        "DR",
    )
    house = found["urgences.martin@x.mssante.fr"]
    assert (house["structure_id"], house["service"], house["town"]) == (
        "770000123",
        "URGENCES",
        "77000 MELUN",
    )


def test_the_red_list_is_respected_and_paper_told() -> None:
    """A mailbox whose holder does not want to be found is left out; an older name of the extension is known."""
    person = practitioner(MARIE, "10000000001", "MARTIN", "Marie")
    extension = person["telecom"][0]["extension"][1]
    extension["url"] = extension["url"].replace("as-ext-", "as-")
    extension["extension"].append({"url": "digitization", "valueBoolean": True})
    assert [(one["type"], one["paperless"]) for one in mailboxes(person)] == [("PER", "O")]
    extension["extension"].append({"url": "listeRouge", "valueBoolean": True})
    assert list(mailboxes(person)) == []


async def test_pages_are_followed_to_the_end_or_as_far_as_wanted(
    server: FhirServer, fhir: FhirOptions
) -> None:
    """Fifty a page; no more are fetched than are wanted; a question without end is ended."""
    server.resources = [practitioner(f"a{n}.martin@x.mssante.fr", f"1{n:010}", "M", "N") for n in range(130)]
    assert len(await client(fhir).search("martin", 1000)) == 130
    assert len(server.publisher.asked) == 5
    server.publisher.asked.clear()
    assert len(await client(fhir).search("martin", 60)) == 60
    assert len(server.publisher.asked) == 2
    server.page = 1
    server.publisher.asked.clear()
    await client(fhir).search("martin", 1000)
    assert len(server.publisher.asked) == MAX_PAGES + 2


async def test_an_address_is_asked_for_exactly(fhir: FhirOptions, server: FhirServer) -> None:
    """And what does not fit is not believed."""
    assert [one["address"] for one in await client(fhir).of_address(MARIE)] == [MARIE]
    server.resources = [practitioner(MARIE, "1", "A", "B")]
    server.resources[0]["telecom"].append(PEOPLE[1]["telecom"][0])
    assert len(await client(fhir).of_address(MARIE)) == 1
    assert all("mailbox-mss%3Aexact=marie.martin%40medecin" in one for one in server.publisher.asked)


async def test_a_server_that_is_busy_is_asked_again(server: FhirServer, fhir: FhirOptions) -> None:
    """429 and 5xx, with and without Retry-After, and a line that breaks."""
    server.troubles = [status(429, Retry_After="0"), status(503), lambda handler: handler.connection.close()]
    assert len(await client(fhir).search("martin", 100)) == 4
    server.troubles = [status(500)] * 4
    assert await problem(fhir) == "fhir-status"
    server.troubles = [status(429, Retry_After="3600")]
    assert await problem(fhir) == "fhir-busy"
    server.troubles = [status(429, Retry_After="Wed, 21 Oct 2099 07:28:00 GMT")]
    assert await problem(fhir) == "fhir-busy"
    assert server.troubles == []


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (status(200, b"<html>"), "fhir-answer"),
        (status(200, b"[]"), "fhir-answer"),
        (status(200, b'{"resourceType": "Patient"}'), "fhir-answer"),
        (status(200, b'{"resourceType": "Bundle", "entry": 3}'), "fhir-answer"),
        (status(200, b"[" * 200_000), "fhir-answer"),
        (status(200, b"\xff\xfe"), "fhir-answer"),
        (status(200, b"x", Content_Encoding="gzip"), "fhir-answer"),
        (status(200, BOMB, Content_Encoding="gzip"), "fhir-answer"),
        (status(200, b" " * (MAX_PAGE + 1)), "fhir-too-large"),
        (status(302, Location="https://localhost/"), "fhir-status"),
        (status(404), "fhir-status"),
        (status(403), "fhir-key"),
        (body(b"{}"), "fhir-answer"),
    ],
)
async def test_nonsense_has_its_sentence(
    server: FhirServer, fhir: FhirOptions, trouble: object, reason: str
) -> None:
    """Garbage, too much, elsewhere."""
    server.troubles = [trouble]  # type: ignore[list-item]
    assert await problem(fhir) == reason


async def test_the_key_goes_nowhere_else(server: FhirServer, fhir: FhirOptions, tmp_path: Path) -> None:
    """A `next` that points to another server, to another scheme, or to itself."""
    server.page = 1
    with publishing(shared_pki().organisations.issue(OURS), tmp_path) as other:
        for elsewhere in (
            f"{other.base}/fhir/v2/Practitioner",
            "http://localhost/x",
            "//evil.example/",
            "https://[",
        ):
            server.link = lambda url, to=elsewhere: to  # type: ignore[misc]
            assert await problem(fhir) == "fhir-elsewhere"
        assert other.asked == []
    server.link = lambda url: url.replace("_start=1", "_start=0")
    assert await problem(fhir) == "fhir-loop"


async def test_a_wrong_key_and_a_wrong_server(fhir: FhirOptions, tmp_path: Path) -> None:
    """401, no key in the file, an unknown authority, nobody there, silence."""
    (tmp_path / "other").write_text("autre")
    assert await problem(replace(fhir, key_file=tmp_path / "other")) == "fhir-key"
    (tmp_path / "other").write_text("deux\nlignes")
    assert await problem(replace(fhir, key_file=tmp_path / "other")) == "fhir-key"
    assert await problem(replace(fhir, key_file=tmp_path / "absent")) == "fhir-key"
    assert await problem(replace(fhir, ca_files=())) == "fhir-tls"
    assert await problem(replace(fhir, ca_files=(tmp_path / "other",))) == "fhir-tls"
    assert await problem(replace(fhir, url=f"https://localhost:{unused_port()}/")) == "fhir-unreachable"
    with silent() as port:
        assert await problem(replace(fhir, url=f"https://localhost:{port}/", timeout=0.3)) == "fhir-timeout"


@pytest.mark.req("OPS-1")
async def test_what_was_seen_online_is_remembered_with_its_day(fhir: FhirOptions, tmp_path: Path) -> None:
    """`show --online` fills the small table, which listings look into after the copy."""
    annuaire = Annuaire(Copies(options(tmp_path).state))
    Copies(options(tmp_path).state).note()
    desk = AnnuaireDesk(options(tmp_path, fhir=fhir), annuaire, lambda: 1795154700.0)
    try:
        assert await annuaire.listed(MARIE) is None
        assert await desk.show(MARIE, online=False) is None
        shown = await desk.show(MARIE, online=True)
        assert shown is not None
        assert shown["rows"][0]["source"] == "online"
        listed = await annuaire.listed(MARIE)
        assert listed is not None
        assert (listed.name, listed.source) == ("Marie MARTIN", "annuaire online 2026-11-20")
        again = await desk.show(MARIE, online=False)
        assert again is not None
        assert again["rows"][0]["name"] == "MARTIN"
        assert await desk.show("nobody@x.mssante.fr", online=True) is None
        online = await desk.search({"words": "martin lilas", "type": "APP"}, online=True)
        assert [one["type"] for one in online["rows"]] == ["APP"]
        with pytest.raises(DirectoryProblem, match="three letters"):
            await desk.search({"words": "ab"}, online=True)
    finally:
        await annuaire.close()


FIELD_NAMES = """
resourceType telecom extension url value valueCode valueCodeableConcept coding code identifier name given system link
relation entry resource address qualification
"""
FIELDS = FIELD_NAMES.split()
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from([MARIE, "Bundle", "MSSANTE"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_any_json_is_read_without_a_fault(value: object) -> None:
    """Rows, or nothing; a page that is no Bundle is a ValueError."""
    text = json.loads(json.dumps(value))
    for kind in ("Practitioner", "Organization", "PractitionerRole"):
        resource = {**text, "resourceType": kind} if isinstance(text, dict) else text
        assert all(row["address"] and row["type"] for row in mailboxes(resource))
    assert isinstance(next_link(text), str)
    try:
        assert isinstance(resources(text), list)
    except ValueError:
        assert not isinstance(text, dict) or text.get("resourceType") != "Bundle" or text.get("entry")
