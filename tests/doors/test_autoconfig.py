"""What mail clients are told by the ops door and by the command line (ACC-4)."""

import json
import plistlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from mss_gateway.ops.autoconfig import AutoconfigOperations, services_of, srv_records
from mss_gateway.ops.autoconfig_answers import OUTLOOK_ANSWER, outlook_address, thunderbird
from mss_gateway.ops.http_options import HttpOptions, MailServices, OAuth
from mss_gateway.ops.operation import OperationRefused
from tests.support.ops import OpsServed, ops_gateway

HERE = Path(__file__)
OPTIONS = HttpOptions(
    places=(),
    services=MailServices("imap.exemple.fr", "smtp.exemple.fr", 143, 993, 0, 465),
    domains=frozenset({"exemple.mssante.fr"}),
    certificate=HERE,
    key=HERE,
    url="https://autoconfig.exemple.fr",
)
WELL_KNOWN = "/.well-known/autoconfig/mail/config-v1.1.xml"


@pytest.fixture(scope="module")
def ops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpsServed]:
    """One gateway for all of them."""
    with ops_gateway(tmp_path_factory.mktemp("ops"), url="https://localhost:4443") as served:
        yield served
        assert served.served.faults() == 0


@pytest.mark.req("ACC-4")
@pytest.mark.parametrize("path", ["/mail/config-v1.1.xml", WELL_KNOWN])
def test_thunderbird_by_address_and_by_host(ops: OpsServed, path: str) -> None:
    """Both paths, with the ports that are really open, TLS from the first octet first."""
    text = ops.get(f"{path}?emailaddress=nom@{ops.domain}").content
    root = etree.fromstring(text)
    servers = [
        (one.tag, one.findtext("hostname"), int(one.findtext("port") or 0), one.findtext("socketType"))
        for one in root.iter("incomingServer", "outgoingServer")
    ]
    ports = ops.served.handout.ports
    assert servers == [
        ("incomingServer", "localhost", ports.imaps, "SSL"),
        ("incomingServer", "localhost", ports.imap, "STARTTLS"),
        ("outgoingServer", "localhost", ports.submissions, "SSL"),
        ("outgoingServer", "localhost", ports.submission, "STARTTLS"),
    ]
    assert {one.text for one in root.iter("username")} == {"%EMAILADDRESS%"}
    assert next(root.iter("authentication")).text == "password-cleartext"
    assert not list(root.iter("oAuth2"))
    for host in (f"autoconfig.{ops.domain}", ops.domain, f"AUTOCONFIG.{ops.domain}:443"):
        assert ops.get(path, headers={"host": host}).content == text
    assert ops.get(path, headers={"host": "autoconfig.ailleurs.example"}).status_code == 404


@pytest.mark.req("ACC-4")
def test_nobody_learns_whether_an_address_exists(ops: OpsServed) -> None:
    """A mailbox that exists, one that does not and one that nobody could have are told the same."""
    known = ops.served.account("PER").address
    paths = ("/mail/config-v1.1.xml?emailaddress={}", "/mobileconfig?address={}")
    for path in paths:
        first = ops.get(path.format(known))
        other = ops.get(path.format(f"personne@{ops.domain}"))
        assert (first.status_code, other.status_code) == (200, 200)
        assert first.text.replace(known, "x").count("x") == other.text.replace(
            f"personne@{ops.domain}", "x"
        ).count("x")
        for unknown in (
            "x@ailleurs.example",
            "x",
            "@",
            "x@",
            f"{'a' * 5000}@{ops.domain}",
            "%00@%0d%0a",
            f"<b>@{ops.domain}",
        ):
            assert ops.get(path.format(unknown)).status_code == 404


def asked(address: str) -> str:
    """Outlook's question."""
    return (
        '<?xml version="1.0" encoding="utf-8"?><Autodiscover '
        'xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request>'
        f"<EMailAddress>{address}</EMailAddress><AcceptableResponseSchema>{OUTLOOK_ANSWER}"
        "</AcceptableResponseSchema></Request></Autodiscover>"
    )


@pytest.mark.req("ACC-4")
@pytest.mark.parametrize("path", ["/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml"])
def test_outlook_asks_by_post(ops: OpsServed, path: str) -> None:
    """One service of each kind; an unknown domain is told as Outlook understands it."""
    said = ops.curl(
        "-H", "Content-Type: text/xml", "--data-binary", asked(f"nom@{ops.domain}"), f"{ops.url}{path}"
    )
    head, _, body = said.partition("\n\n")
    assert head.startswith("HTTP/1.1 200")
    root = etree.fromstring(body.encode())
    found = {
        one.findtext(f"{{{OUTLOOK_ANSWER}}}Type"): (
            one.findtext(f"{{{OUTLOOK_ANSWER}}}Server"),
            int(one.findtext(f"{{{OUTLOOK_ANSWER}}}Port") or 0),
            one.findtext(f"{{{OUTLOOK_ANSWER}}}SSL"),
            one.findtext(f"{{{OUTLOOK_ANSWER}}}LoginName"),
        )
        for one in root.iter(f"{{{OUTLOOK_ANSWER}}}Protocol")
    }
    ports, login = ops.served.handout.ports, f"nom@{ops.domain}"
    assert found == {
        "IMAP": ("localhost", ports.imaps, "on", login),
        "SMTP": ("localhost", ports.submissions, "on", login),
    }
    with ops.client() as client:
        refused = client.post(path, content=asked("nom@ailleurs.example"))
        assert refused.status_code == 404
        assert "<ErrorCode>500</ErrorCode>" in refused.text
        for octets in (b"", b"<", b"\xff\xfe", b"<a>" * 4000, b"{}"):
            assert client.post(path, content=octets).status_code == 400
        assert client.get(path).status_code == 405


@pytest.mark.req("ACC-4")
def test_outlook_is_led_to_the_xml(ops: OpsServed) -> None:
    """Autodiscover v2 names the address; other protocols are not spoken."""
    query = f"Email=nom@{ops.domain}&Protocol="
    for path in (
        f"/autodiscover/autodiscover.json?{query}",
        f"/autodiscover/autodiscover.json/v1.0/nom@{ops.domain}?Protocol=",
    ):
        found = ops.get(f"{path}AutodiscoverV1").json()
        assert found == {
            "Protocol": "AutodiscoverV1",
            "Url": "https://localhost:4443/autodiscover/autodiscover.xml",
        }
        assert ops.get(f"{path}ActiveSync").status_code == 404


@pytest.mark.req("ACC-4")
def test_entities_are_never_resolved(tmp_path: Path) -> None:
    """No file is read, nothing grows, and what is no address is none."""
    secret = tmp_path / "secret"
    secret.write_text("nom@exemple.mssante.fr", encoding="utf-8")
    outside = (
        f'<!DOCTYPE a [<!ENTITY x SYSTEM "file://{secret}">]>' + "<a><EMailAddress>&x;</EMailAddress></a>"
    )
    assert outlook_address(outside.encode()) == ""
    assert outlook_address(outside.encode("utf-16")) == ""
    bomb = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><EMailAddress>&b;</EMailAddress>'
    assert outlook_address(bomb.encode()) == ""
    assert outlook_address(b"<a><!-- x --><EMailAddress> n@x.fr </EMailAddress></a>") == "n@x.fr"


@pytest.mark.req("ACC-4")
@settings(max_examples=60)
@given(st.binary(max_size=300))
def test_any_octets_are_an_address_or_none(octets: bytes) -> None:
    """Never an exception."""
    assert isinstance(outlook_address(octets), str)
    assert isinstance(outlook_address(b"<a><EMailAddress>" + octets + b"</EMailAddress></a>"), str)


@pytest.mark.req("ACC-4")
def test_an_apple_profile_and_its_signature(ops: OpsServed, tmp_path: Path) -> None:
    """One IMAP account; signed, OpenSSL finds the same octets in it."""
    answer = ops.get(f"/mobileconfig?address=nom@{ops.domain}")
    assert answer.headers["content-type"] == "application/x-apple-aspen-config"
    profile = plistlib.loads(answer.content)
    mail = profile["PayloadContent"][0]
    ports = ops.served.handout.ports
    assert mail["EmailAddress"] == mail["IncomingMailServerUsername"] == f"nom@{ops.domain}"
    assert (mail["IncomingMailServerPortNumber"], mail["OutgoingMailServerPortNumber"]) == (
        ports.imaps,
        ports.submissions,
    )
    assert "IncomingPassword" not in mail
    with ops_gateway(tmp_path, sign_profiles=True) as signing:
        signed = tmp_path / "signed"
        signed.write_bytes(signing.get(f"/mobileconfig?address=nom@{ops.domain}").content)
        command = ["openssl", "cms", "-verify", "-inform", "DER", "-in", str(signed), "-noverify"]
        inner = subprocess.run(command, capture_output=True, check=True, timeout=20).stdout
        assert plistlib.loads(inner)["PayloadContent"][0]["EmailAddress"] == f"nom@{ops.domain}"


@pytest.mark.req("ACC-4")
async def test_records_for_the_zone_file() -> None:
    """RFC 6186, 8314 and 2782: the better way first, a dot for what is not offered."""
    records = {name: (priority, port, target) for name, priority, _, port, target in srv_records(OPTIONS)}
    assert records == {
        "_submissions._tcp": (0, 465, "smtp.exemple.fr."),
        "_submission._tcp": (0, 0, "."),
        "_imaps._tcp": (0, 993, "imap.exemple.fr."),
        "_imap._tcp": (10, 143, "imap.exemple.fr."),
        "_pop3s._tcp": (0, 0, "."),
        "_pop3._tcp": (0, 0, "."),
        "_autodiscover._tcp": (0, 443, "autoconfig.exemple.fr."),
    }
    assert [one.port for one in services_of(OPTIONS)] == [993, 143, 465]
    operations = AutoconfigOperations(OPTIONS)
    shown = await operations.show({"address": "Nom@Exemple.mssante.fr"})
    assert shown["domain"] == "exemple.mssante.fr"
    for wrong in ("nom", "nom@ailleurs.fr"):
        with pytest.raises(OperationRefused):
            await operations.show({"address": wrong})
    with pytest.raises(OperationRefused):
        await operations.srv({"domain": "ailleurs.fr"})


@pytest.mark.req("ACC-4", "ACC-2")
def test_tokens_are_told_of_only_where_they_are_taken() -> None:
    """OAuth2 stands first, with where tokens come from."""
    from dataclasses import replace

    oauth = OAuth(
        "https://auth.exemple.fr", "openid", "https://auth.exemple.fr/a", "https://auth.exemple.fr/t"
    )
    root = etree.fromstring(thunderbird(replace(OPTIONS, oauth=oauth), "exemple.mssante.fr"))
    assert next(root.iter("authentication")).text == "OAuth2"
    assert root.findtext("oAuth2/tokenURL") == "https://auth.exemple.fr/t"


@pytest.mark.req("ACC-4", "OPS-1")
def test_the_commands(tmp_path: Path) -> None:
    """`autoconfig srv --zone` prints lines that a zone file takes; `show` and `--json` the same facts."""
    from typer.testing import CliRunner

    from mss_gateway.cli.root import app
    from tests.support.doors import sample

    _, handout = sample()
    config = ["-c", handout.config]
    zone = CliRunner().invoke(app, ["autoconfig", "srv", "--zone", *config])
    assert zone.exit_code == 0, zone.output
    lines = zone.output.splitlines()
    assert all(" IN SRV 0 " in line or " IN SRV 10 " in line for line in lines)
    assert any(line.startswith("_pop3._tcp.") and line.endswith(" 0 0 0 .") for line in lines)
    shown = CliRunner().invoke(app, ["autoconfig", "show", handout.accounts[0].address, *config, "--json"])
    assert {one["security"] for one in json.loads(shown.output)["services"]} == {"TLS", "STARTTLS"}
    assert CliRunner().invoke(app, ["autoconfig", "show", "x@ailleurs.fr", *config]).exit_code == 3
    assert CliRunner().invoke(app, ["status", *config]).exit_code == 6
