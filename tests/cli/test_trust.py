"""`mss-gateway trust …` on real material: what people read, what programs read, exit codes (TRU-3, TRU-8)."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

from mss_gateway.cli.trust_showing import sessions
from mss_gateway.dev.listing import Entry, signed_list
from mss_gateway.dev.pki import Issued, PrivateKey, Subject
from mss_gateway.ports.refused import INBOUND, OUTBOUND, Refusal
from mss_gateway.settings import load
from mss_gateway.trust.refused import RefusedBook
from tests.support.commands import Site

VARIABLE = [
    (re.compile(r"serial number [0-9a-f]+"), "serial number N"),
    (re.compile(r"SHA-256 [0-9a-f]{64}"), "SHA-256 H"),
    (re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}(?::\d{2})?Z"), "DATE"),
    (re.compile(r"\d+ days left"), "N days left"),
    (re.compile(r" +\n"), "\n"),
]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A configuration whose trust space is the sample's, no gateway running; a terminal of 118 columns."""
    monkeypatch.setenv("COLUMNS", "118")
    return Site(tmp_path)


def steady(said: str) -> str:
    """What was said, without what differs from run to run."""
    for pattern, word in VARIABLE:
        said = pattern.sub(word, said)
    return said


def der(site: Site, name: str) -> bytes:
    """The certificate of a refused credential."""
    pem = Path(site.handout.refused[name].cert).read_bytes()
    return x509.load_pem_x509_certificates(pem)[0].public_bytes(Encoding.DER)


def new_list(site: Site, listed: list[Entry], *, minutes: float = 1.0) -> str:
    """A list signed by the space's own signer, as a file."""
    folder = load(site.config).trust.ca_files[0].parent
    key = load_pem_private_key((folder / "list-signer.key").read_bytes(), None)
    assert isinstance(key, PrivateKey)
    certificate = x509.load_pem_x509_certificates((folder / "list-signer.pem").read_bytes())[0]
    generated = datetime.now(UTC) + timedelta(minutes=minutes)
    return site.file(signed_list(listed, Issued(certificate, key), generated=generated), "list.xml")


EXPLAINED = """\
✓ certificate      serial number N
                   SHA-256 H
✓ chain            CN=mx.inconnu-exemple.fr, OU=300000000000019, O=OPERATEUR EXEMPLE, ST=Rhône (69), C=FR (shown by
                   the peer)
                   CN=TEST AC ESSAI ELEMENTAIRE ORGANISATIONS, OU=IGC-ESSAI TEST, O=MSS-GATEWAY, C=FR (configured
                   authority)
                   CN=TEST AC RACINE ESSAI ELEMENTAIRE, OU=IGC-ESSAI TEST, O=MSS-GATEWAY, C=FR (configured root)
✓ dates            CN=mx.inconnu-exemple.fr: DATE to DATE, N days left
                   CN=TEST AC ESSAI ELEMENTAIRE ORGANISATIONS: DATE to DATE, N days left
                   CN=TEST AC RACINE ESSAI ELEMENTAIRE: DATE to DATE, N days left
✓ strength         CN=mx.inconnu-exemple.fr: EC secp256r1, signed with SHA256
                   CN=TEST AC ESSAI ELEMENTAIRE ORGANISATIONS: EC secp256r1, signed with SHA256
                   CN=TEST AC RACINE ESSAI ELEMENTAIRE: EC secp256r1, signed with SHA256
✓ usage            key usage: allows a digital signature
                   extended key usage: clientAuth, serverAuth
                   as a client: yes
                   as a server: yes
✓ revocation       CN=mx.inconnu-exemple.fr: not revoked; CRL of DATE, next due DATE
                   CN=TEST AC ESSAI ELEMENTAIRE ORGANISATIONS: not revoked; CRL of DATE, next due
                   DATE
✓ name             CN = mx.inconnu-exemple.fr
                   OU = 300000000000019
                   O = OPERATEUR EXEMPLE
                   ST = Rhône (69)
                   C = FR
✗ trusted list     no domain lists this DN
                   list of DATE
                   nearest: CN=mx.expire.hopital-voisin.mssante.fr,OU=300000000000019,O=OPERATEUR EXEMPLE,ST=Rhône
                   (69),C=FR
                   CN is mx.expire.hopital-voisin.mssante.fr on the list and mx.inconnu-exemple.fr in the certificate
                   → Have the trusted list corrected. (dn-not-listed)
✗ domain           hopital-voisin.mssante.fr lists CN=mx.hopital-voisin.mssante.fr,OU=1750000018,O=HOPITAL
                   VOISIN,ST=Paris (75),C=FR
                   no DN there resembles it
                   → Have the trusted list corrected. (dn-not-listed)
✗ Coming to us     refused in the dialogue: dn-not-listed
                   550 5.7.1 The DN of the client certificate is not on the trusted list
"""


@pytest.mark.req("TRU-8")
def test_a_certificate_file_is_explained_as_people_read_it(site: Site) -> None:
    """Every step with its evidence, the remedy, and what the peer meets."""
    cert = site.handout.refused["unlisted"].cert
    words = ("trust", "explain", cert, "--domain", site.handout.operator.domain, "--role", "client")
    status, said = site.run(*words)
    assert status == 1
    assert steady(said) == EXPLAINED


REASONS = {
    "revoked": "certificate-revoked",
    "expired": "certificate-expired",
    "unlisted": "dn-not-listed",
    "foreign-ca": "issuer-unknown",
    "self-signed": "self-signed",
    "wrong-usage": "wrong-usage",
}


@pytest.mark.req("TRU-8", "TRU-6")
@pytest.mark.parametrize("name", REASONS)
def test_every_bad_certificate_of_the_space_is_explained_in_pem_and_der(site: Site, name: str) -> None:
    """Exit code 1, the gateway's own reason, a failed step with that reason and a remedy."""
    credential = site.handout.refused[name]
    for file in (credential.cert, site.file(der(site, name), "peer.der")):
        found = site.json("trust", "explain", file, "--role", "client", status=1)
        (peer,) = found["peers"]
        assert peer["meetings"][0]["reason"] == REASONS[name]
        (bad, *_) = [one for one in peer["steps"] if one["reason"] == REASONS[name]]
        assert (bad["verdict"], bool(bad["remedy"])) == ("fail", True)


@pytest.mark.req("TRU-8")
def test_a_good_certificate_is_accepted(site: Site) -> None:
    """Exit code 0, in both directions."""
    operator = site.handout.operator
    (peer,) = site.json("trust", "explain", operator.cert, "--domain", operator.domain)["peers"]
    assert peer["accepted"]
    assert [one["accepted"] for one in peer["meetings"]] == [True, True]
    status, said = site.run("trust", "explain", operator.cert)
    assert status == 0
    assert "✓ Coming to us     accepted" in said


@pytest.mark.req("TRU-8")
def test_a_file_with_a_private_key_is_refused_and_not_read(site: Site) -> None:
    """PEM, DER, PKCS#12, encrypted or not; nothing of it in the answer."""
    credential = site.handout.refused["unlisted"]
    pem = Path(credential.key).read_bytes()
    key = load_pem_private_key(pem, None)
    assert isinstance(key, PrivateKey)
    certificate = x509.load_der_x509_certificate(der(site, "unlisted"))
    secret = BestAvailableEncryption(b"x")
    files = {
        "key.pem": pem,
        "both.pem": Path(credential.cert).read_bytes() + pem,
        "key.der": key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        "old.der": key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        "sealed.der": key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, secret),
        "sealed.pem": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret),
        "pair.p12": pkcs12.serialize_key_and_certificates(b"x", key, certificate, None, secret),
    }
    for name, octets in files.items():
        status, said = site.run("trust", "explain", site.file(octets, name))
        assert status == 2
        assert "private key, so it is not read" in said


@pytest.mark.parametrize(
    "octets", [b"", b"bonjour", b"0\x82", b"-----BEGIN CERTIFICATE-----\nAAAA", bytes(2 * 1024 * 1024)]
)
def test_a_file_that_is_no_certificate_is_told_so(site: Site, octets: bytes) -> None:
    """One sentence with its remedy, exit code 2."""
    status, said = site.run("trust", "explain", site.file(octets, "x.pem"))
    assert status == 2
    assert said.startswith("✗ ")


@pytest.mark.req("TRU-8")
def test_a_target_that_is_nothing_of_the_kind(site: Site) -> None:
    """No file, no host, no session; no port of that number; no target at all; a session that is not known."""
    for words in (("nonsense",), ("host.example:70000",), ("a b.example:25",), (), ("--role", "x", __file__)):
        assert site.run("trust", "explain", *words)[0] == 2
    status, said = site.run("trust", "explain", "0000abcdef")
    assert status == 3
    assert "trust sessions" in said


@pytest.mark.req("TRU-8")
def test_a_host_that_does_not_listen(site: Site) -> None:
    """By address and as the host of a domain."""
    (peer,) = site.json("trust", "explain", "127.0.0.1:9", status=1)["peers"]
    assert peer["meetings"][0]["reason"] == "connect-refused"
    (peer,) = site.json("trust", "explain", "--domain", site.handout.operator.domain, status=1)["peers"]
    assert [one["verdict"] for one in peer["steps"]][:2] == ["fail", "not-reached"]


@pytest.mark.req("TRU-8", "INS-7")
def test_refused_sessions_are_listed_and_explained_by_their_ids(site: Site) -> None:
    """With the certificate they are judged anew; without it the reason stands alone."""
    book = RefusedBook(load(site.config).trust.state)
    operator = site.handout.refused["revoked"]
    chain = (der(site, "revoked"),)
    told = Refusal(INBOUND, "192.0.2.7", "certificate-revoked", operator.domain, "TLSv1.3", "", chain, "mx.x")
    seen = book.note(told)
    book.note(told)
    bare = book.note(Refusal(OUTBOUND, "mx.hopital.example", "no-starttls", "hopital.example"))
    book.close()
    listed = site.json("trust", "sessions")["sessions"]
    assert [(one["id"], one["reason"], one["certificates"]) for one in listed] == [
        (bare, "no-starttls", 0),
        (seen, "certificate-revoked", 1),
    ]
    status, said = site.run("trust", "sessions", "--limit", "1")
    assert status == 0
    assert bare in said
    assert seen not in said
    (peer,) = site.json("trust", "explain", seen.upper(), status=1)["peers"]
    assert peer["meetings"][0]["reason"] == "certificate-revoked"
    assert peer["session"]["peer"] == "192.0.2.7"
    status, said = site.run("trust", "explain", seen)
    assert status == 1
    assert f"Session {seen}" in said
    assert "192.0.2.7 came to us, refused at" in said
    assert "judged by what is in force now" in said
    status, said = site.run("trust", "explain", bare)
    assert status == 1
    assert "not known: nothing more can be judged" in said


@pytest.mark.req("TRU-8")
@pytest.mark.parametrize("columns", [80, 120])
def test_the_id_and_the_reason_of_a_session_are_never_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    """They are there to be copied, however long the longest reason and the peer's name are."""
    monkeypatch.setenv("COLUMNS", str(columns))
    row = {"id": "7k2m4n6p8q", "last_at": time.time(), "count": 12345, "direction": INBOUND, "remedy": ""}
    row |= {"peer": "192.0.2.7", "domain": "", "reason": "certificate-not-yet-valid"}
    far = {"id": "8k2m4n6p8q", "direction": OUTBOUND, "peer": f"mx.{'a' * 60}.fr", "domain": f"{'b' * 60}.fr"}
    sessions([row, {**row, **far, "last_at": 86400.0 + 10 * 3600}])
    lines = capsys.readouterr().out.splitlines()
    first, second = (next(line for line in lines if line.startswith(one["id"])) for one in (row, far))
    assert re.search(
        r"^7k2m4n6p8q  [01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]  12345  from 192\.0\.2\.7 ", first
    )
    assert first.rstrip().endswith(" certificate-not-yet-valid")
    assert "  1970-01-02 " in second
    assert second.rstrip().endswith(" certificate-not-yet-valid")
    assert all(len(line) <= columns for line in lines)


@pytest.mark.req("TRU-3")
def test_status_tells_all_and_its_exit_code_the_alarms(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """0 when all is well, 1 with an alarm, whose sentence has its remedy."""
    found = site.json("trust", "status")
    assert found["list"]["domains"] >= 4
    assert len(found["authorities"]) == 2
    assert len(found["crls"]) == 2
    assert len(found["own"]) == 1
    assert found["alarms"] == []
    status, said = site.run("trust", "status")
    assert status == 0
    assert said.rstrip().endswith("✓ no alarm")
    assert "CN=TEST AC RACINE ESSAI ELEMENTAIRE" in said
    monkeypatch.setenv("MSS_GATEWAY_TRUST_LIST_ALARM_HOURS", "0.0000001")
    assert site.json("trust", "status", status=1)["alarms"][0]["reason"] == "list-old"
    status, said = site.run("trust", "status")
    assert status == 1
    assert "fetch the current one (list-old)" in said


@pytest.mark.req("TRU-3", "TRU-4")
def test_show_gives_the_dns_of_a_domain(site: Site) -> None:
    """As published and as compared, with the operator and how many domains it has besides."""
    domain = site.handout.operator.domain
    found = site.json("trust", "show", domain.upper())
    assert found["domain"] == domain
    (one,) = found["dns"]
    assert one["operator"] == "HOPITAL VOISIN"
    assert one["normalised"].startswith("c=fr,cn=mx.hopital-voisin.mssante.fr,")
    status, said = site.run("trust", "show", domain)
    assert status == 0
    assert "also for    1 other domain" in said
    assert site.run("trust", "show", "inconnu.example")[0] == 3
    assert site.run("trust", "show", "pas un domaine")[0] == 2


@pytest.mark.req("TRU-3")
def test_a_list_is_looked_at_applied_and_rolled_back(site: Site) -> None:
    """The difference first, then the question; back again; what cannot be done says why."""
    hosted = sorted(load(site.config).book.hosted)[0]
    more = Entry("nouveau.mssante.fr", Subject("mx.nouveau.mssante.fr").listed())
    file = new_list(site, [*full(site), more])
    found = site.json("trust", "diff", file)
    assert (found["against"], found["count"]) == ("file", {"added": 1, "removed": 0, "changed": 0})
    assert found["added"] == [
        {"domain": "nouveau.mssante.fr", "dns_added": [more.dn], "dns_removed": []},
    ]
    status, said = site.run("trust", "apply", file, stdin="n\n")
    assert status == 0
    assert "+ nouveau.mssante.fr" in said
    assert site.run("trust", "show", "nouveau.mssante.fr")[0] == 3
    status, said = site.run("trust", "apply", file, stdin="y\n")
    assert status == 0
    assert "✓ in force" in said
    assert site.run("trust", "show", "nouveau.mssante.fr")[0] == 0
    assert site.json("trust", "diff")["against"] == "previous"
    assert site.json("trust", "rollback", "--yes")["list"]["domains"] == len(
        {one.domain for one in full(site)}
    )
    assert site.run("trust", "show", "nouveau.mssante.fr")[0] == 3
    assert site.run("trust", "show", hosted)[0] == 0
    status, said = site.run("trust", "apply", "--yes")
    assert status == 4
    assert site.json("trust", "apply", "--yes", status=4)["reason"] == "list-nothing-held"
    assert site.run("trust", "apply", "--json", file)[0] == 2
    old = new_list(site, full(site), minutes=-600)
    assert "older than the one in force" in site.run("trust", "diff", old)[1]


@pytest.mark.req("TRU-3")
def test_the_difference_shows_the_dns_of_both_sides(site: Site) -> None:
    """Of a domain added, changed and removed, also when the list waits, and when it has come in force."""
    entries = full(site)
    hosted = sorted(load(site.config).book.hosted)[0]
    gone = next(one.domain for one in entries if one.domain != hosted)
    (before,) = [one.dn for one in entries if one.domain == hosted]
    (lost,) = [one.dn for one in entries if one.domain == gone]
    after, new = (Subject(name).listed() for name in ("mx.autre.mssante.fr", "mx.nouveau.mssante.fr"))
    kept = [one for one in entries if one.domain not in (hosted, gone)]
    file = new_list(site, [*kept, Entry(hosted, after), Entry("nouveau.mssante.fr", new)])

    def check(found: Any, against: str) -> None:
        assert found["against"] == against
        assert found["added"] == [{"domain": "nouveau.mssante.fr", "dns_added": [new], "dns_removed": []}]
        assert found["changed"] == [{"domain": hosted, "dns_added": [after], "dns_removed": [before]}]
        assert found["removed"] == [{"domain": gone, "dns_added": [], "dns_removed": [lost]}]

    check(site.json("trust", "diff", file), "file")
    site.json("trust", "apply", "--yes", file, status=4)
    check(site.json("trust", "diff"), "held")
    assert set(site.json("trust", "status", status=1)["list"]["held"]) == {
        "domains_before",
        "domains_after",
        "count",
        "removed_share",
    }
    said = site.run("trust", "diff")[1]
    assert f"~ {hosted}\n    - {before}\n    + {after}\n" in said
    assert f"+ nouveau.mssante.fr\n    + {new}\n" in said
    assert site.run("trust", "apply", "--yes", "--removals", file)[0] == 0
    check(site.json("trust", "diff"), "previous")


@pytest.mark.req("TRU-3")
def test_a_list_that_drops_many_domains_waits_unless_somebody_has_seen_it(site: Site) -> None:
    """`--yes` alone is no confirmation; the list that waits is put in force by name of nothing."""
    hosted = sorted(load(site.config).book.hosted)[0]
    file = new_list(site, [one for one in full(site) if one.domain == hosted])
    assert site.json("trust", "apply", "--yes", file, status=4)["reason"] == "list-mass-removal"
    held = site.json("trust", "diff", "--limit", "2")
    assert held["against"] == "held"
    assert held["cut"]
    assert len(held["removed"]) == 2
    assert site.json("trust", "status", status=1)["list"]["held"]["count"]["removed"] >= 4
    status, said = site.run("trust", "diff", "--limit", "2")
    assert status == 0
    assert "--limit shows them" in said
    status, said = site.run("trust", "apply", stdin="y\n")
    assert status == 0
    assert "with 1 domains" in said or "with 1 domain" in said
    site.json("trust", "rollback", "--yes")
    assert site.run("trust", "apply", "--yes", "--removals", file)[0] == 0


def full(site: Site) -> list[Entry]:
    """Every entry of the list file."""
    from lxml import etree

    path = load(site.config).trust.list_file
    assert path is not None
    tree = etree.fromstring(path.read_bytes())
    return [Entry(str(one[0].text), str(one[2].text)) for one in tree[1]]


def test_json_of_every_command_is_one_document(site: Site) -> None:
    """For programs."""
    found: Any = json.loads(site.run("trust", "sessions", "--json")[1])
    assert found == {"sessions": []}


@pytest.mark.parametrize("command", ["status", "diff", "apply", "rollback", "show", "explain", "sessions"])
def test_every_command_has_an_example(site: Site, command: str) -> None:
    """In its help."""
    from tests.support.commands import run

    status, said = run("trust", command, "--help")
    assert status == 0
    assert "Example" in said
