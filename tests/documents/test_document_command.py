"""`mss-gateway document show`, `types` and `send` (INS-6, issue item 4)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from mss_gateway.cli.document import app
from mss_gateway.dev.wire import Refused, submit
from mss_gateway.documents.explaining import explain_message
from mss_gateway.documents.letter import build_message
from tests.support.process import GatewayProcess
from tests.support.xdm import CDA, INS, METADATA, OTHER_INS, PDF, built, changed, unpack

pytestmark = pytest.mark.req("INS-6")
GOOD = build_message(built())


def with_archive(archive: bytes) -> bytes:
    """The good message with another archive in it."""
    message = message_from_bytes(GOOD, policy=policy.SMTP)
    _, part = message.iter_attachments()  # type: ignore[attr-defined]
    part.set_content(archive, "application", "zip", filename="IHE_XDM.zip")
    return message.as_bytes()


def run(*words: str) -> tuple[int, str]:
    """Exit status and what was printed."""
    done = CliRunner().invoke(app, list(words))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def shown(folder: Path, octets: bytes) -> tuple[int, dict[str, Any]]:
    """`show --json` of a message."""
    file = folder / "message.eml"
    file.write_bytes(octets)
    status, printed = run("show", str(file), "--json")
    assert INS not in printed
    return status, json.loads(printed)


def slugs(told: dict[str, Any], verdict: str) -> set[str]:
    """Names of the checks with this verdict."""
    lists = [told["checks"], *(one["checks"] for one in told["archives"])]
    return {check["check"] for checks in lists for check in checks if check["verdict"] == verdict}


def test_show_of_a_good_message(tmp_path: Path) -> None:
    """Documents, types, masked patient; exit 0."""
    status, told = shown(tmp_path, GOOD)
    assert (status, told["good"]) == (0, True)
    assert slugs(told, "problem") == slugs(told, "warning") == set()
    assert {"xdm-files", "xdm-patient", "xdm-recipient", "pdf-same", "subject"} <= slugs(told, "good")
    (document,) = told["archives"][0]["documents"]
    assert document["type"] == "18748-4 CR d'imagerie médicale"
    assert document["level"] == "N1"
    assert document["patients"] == ["2 79 03 ** *** *** ** (INS-NIR de test)"]


def test_show_for_people(tmp_path: Path) -> None:
    """The same as text, without the INS or a traceback."""
    file = tmp_path / "message.eml"
    file.write_bytes(GOOD)
    status, printed = run("show", str(file))
    assert status == 0
    assert "CR d'imagerie médicale" in printed
    assert INS not in printed


@pytest.mark.parametrize(
    ("octets", "slug"),
    [
        (GOOD.replace(INS.encode(), OTHER_INS.encode()), "xdm-metadata-mismatch"),
        (
            with_archive(changed(unpack(built().archive), CDA, (INS.encode(), OTHER_INS.encode()))),
            "xdm-two-patients",
        ),
        (with_archive(changed(unpack(built().archive), METADATA, (b'name="hash"', b'name="x"'))), "xdm-hash"),
        (with_archive(b"no zip"), "xdm-not-zip"),
        (
            GOOD.replace(b"To: <", f"Cc: <{OTHER_INS}@patient.mssante.fr>\r\nTo: <".encode()),
            "xdm-several-recipients",
        ),
        (b"Subject: nothing\r\n\r\nno archive\r\n", "no-archive"),
        (b"", "no-archive"),
        (b"\xff\0: \r\n\r\n" * 9, "no-archive"),
    ],
)
def test_show_of_a_bad_message(tmp_path: Path, octets: bytes, slug: str) -> None:
    """Exit 1 and the slug of what is wrong."""
    status, told = shown(tmp_path, octets)
    assert (status, told["good"]) == (1, False)
    assert slug in slugs(told, "problem")


def test_show_warns_without_condemning() -> None:
    """Another PDF beside the archive, and missing fields, are said but are no refusal."""
    odd = GOOD.replace(b"X-MSS-NIL", b"X-OTHER").replace(b"X-MSS-CODECDA: 18748-4", b"X-MSS-CODECDA: 1-1")
    told: dict[str, Any] = explain_message(odd.replace(b"\r\nJVBERi0xLjQK", b"\r\nJVBERi0xLjUK", 1))
    assert told["good"] is True
    assert slugs(told, "warning") == {"x-mss-nil", "x-mss-codecda", "pdf-differs"}


@settings(max_examples=150)
@given(st.integers(0, 1200), st.binary(max_size=8), st.integers(0, 40))
def test_a_mangled_message_is_explained_or_called_bad(place: int, noise: bytes, gone: int) -> None:
    """Octets of the header and of the first parts replaced: never an exception."""
    told = explain_message(GOOD[:place] + noise + GOOD[place + gone :])
    assert isinstance(told["good"], bool)


def test_types_are_searched_by_word() -> None:
    """Exit 3 when nothing is found."""
    status, printed = run("types", "imagerie", "médicale", "--json")
    assert status == 0
    assert json.loads(printed)["types"][0]["code"] == "18748-4"
    assert run("types", "zzz")[0] == 3
    assert run("types")[0] == 0


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway that takes documents."""
    process = GatewayProcess(tmp_path_factory.mktemp("documents"))
    yield process
    assert process.stop() == 0


def send(gateway: GatewayProcess, folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """`document send` from the sample's professional; its JSON answer."""
    account = next(one for one in gateway.handout.accounts if one.type == "PER")
    (folder / "a.pdf").write_bytes(PDF)
    (folder / "password").write_text(account.password + "\n", encoding="utf-8")
    line = ["send", str(folder / "a.pdf"), "--from", account.address, "--login", account.login]
    line += ["--password-file", str(folder / "password"), "--type", "11502-2", "--title", "Bilan"]
    line += ["--author-family", "EXEMPLE", "--author-given", "Jean", "--author-id", "801234567897"]
    line += ["--structure", "Clinique Exemple", "--structure-id", "1750000000"]
    line += ["--config", str(gateway.config), "--json", *words]
    status, printed = run(*line)
    return status, json.loads(printed[printed.index("{") :])


NIL = ("--nil", "3734")
UNKNOWN = "180032B02040123"  # published test number (domain 14.5) that the sample's registry does not hold
TRAITS = ("--family", "Corse", "--given", "Anthony,Paul", "--sex", "M", "--born", "1980-03-02", *NIL)


def test_what_send_builds_the_gate_accepts(gateway: GatewayProcess, tmp_path: Path) -> None:
    """Identity from the registry, submitted with STARTTLS over our own port, and taken by the gateway."""
    patient = gateway.handout.patients.active.partition("@")[0]
    status, answer = send(gateway, tmp_path, "--to", patient, *NIL, "--receipt", "--no-reply")
    assert status == 0, answer
    assert answer["reply"]
    assert answer["message_id"].startswith("<")
    assert patient not in json.dumps(answer)


def test_the_message_is_what_the_options_say(gateway: GatewayProcess, tmp_path: Path) -> None:
    """Written to a file instead of sent."""
    file = tmp_path / "out.eml"
    status, answer = send(gateway, tmp_path, "--to", UNKNOWN, *TRAITS, "--output", str(file), "--no-reply")
    assert status == 0, answer
    message = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert message["X-MSS-MES"] == "FIN"
    assert message["Subject"] == "XDM/1.0/DDM+CR d'examens biologiques CORSE Anthony 02/03/1980"
    assert explain_message(file.read_bytes())["good"] is True


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        (NIL, 2, "document-name"),
        ((*TRAITS, "--born", "12/03/1985"), 2, "date"),
        ((*TRAITS, "--type", "0-0"), 2, "document-type"),
        ((*TRAITS, "--login", "nobody"), 5, "refused"),
        ((*TRAITS, "--server", "127.0.0.1:1"), 6, "unavailable"),
        ((*TRAITS, "--server", "nowhere"), 2, "server"),
    ],
)
def test_what_cannot_be_sent_says_why(
    gateway: GatewayProcess, tmp_path: Path, words: tuple[str, ...], status: int, reason: str
) -> None:
    """Exit code and reason, without the INS."""
    done, answer = send(gateway, tmp_path, "--to", UNKNOWN, *words)
    assert (done, answer["reason"]) == (status, reason), answer
    assert UNKNOWN not in json.dumps(answer)


def test_an_option_that_contradicts_the_registry_is_refused(gateway: GatewayProcess, tmp_path: Path) -> None:
    """The registry's traits are the checked ones (INS-5)."""
    patient = gateway.handout.patients.active.partition("@")[0]
    done, answer = send(gateway, tmp_path, "--to", patient, *NIL, "--family", "AUTRE")
    assert (done, answer["reason"]) == (2, "trait")


def test_without_a_product_reference_nothing_is_built(gateway: GatewayProcess, tmp_path: Path) -> None:
    """X-MSS-NIL is on every message, so its lack is loud; a setting gives it."""
    text = gateway.config.read_text(encoding="utf-8")
    bare = gateway.config.with_name("without-nil.toml")
    bare.write_text("".join(line for line in text.splitlines(True) if "software_nil" not in line), "utf-8")
    done, answer = send(gateway, tmp_path, "--to", UNKNOWN, *TRAITS[:-2], "--config", str(bare))
    assert (done, answer["reason"]) == (2, "document-nil")
    assert "software_nil" in answer["error"]


@pytest.mark.parametrize("name", [CDA, METADATA])
def test_the_gate_refuses_what_was_changed(gateway: GatewayProcess, tmp_path: Path, name: str) -> None:
    """The message that `send` builds, with one octet of its archive changed, at the real door."""
    patient = gateway.handout.patients.active.partition("@")[0]
    file = tmp_path / "out.eml"
    assert send(gateway, tmp_path, "--to", patient, *NIL, "--output", str(file))[0] == 0
    message = message_from_bytes(file.read_bytes(), policy=policy.SMTP)
    assert isinstance(message, EmailMessage)
    _, part = message.iter_attachments()
    archive = changed(unpack(part.get_content()), name, (b"EXEMPLE", b"EXEMPLF"), honest=False)
    if name == METADATA:
        archive = changed(unpack(part.get_content()), name, (patient.encode(), OTHER_INS.encode()))
    part.set_content(archive, "application", "zip", filename="IHE_XDM.zip")
    account = next(one for one in gateway.handout.accounts if one.type == "PER")
    with pytest.raises(Refused) as refused:
        submit(gateway.handout, account, message)
    assert "550" in refused.value.text
    assert "IHE_XDM" in refused.value.text
