"""The commands against a running gateway, which obeys at once, and their refusals (OPS-1, OPS-3)."""

from __future__ import annotations

import json
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mss_gateway.dev.handout import Account
from mss_gateway.dev.wire import tls
from tests.support.journeys import letter
from tests.support.process import GatewayProcess


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway that the commands talk to."""
    process = GatewayProcess(tmp_path_factory.mktemp("commands"))
    yield process
    assert process.stop() == 0


def command(config: Path, *words: str) -> tuple[int, str]:
    """Exit status and output of one command; a traceback is never an answer."""
    done = subprocess.run(
        [sys.executable, "-m", "mss_gateway", *words, "--config", str(config)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


def asked(gateway: GatewayProcess, *words: str) -> Any:
    """The JSON answer of a command that must succeed."""
    status, said = command(gateway.config, *words, "--json")
    assert status == 0, said
    return json.loads(said)


def login(gateway: GatewayProcess, account: Account, password: str = "") -> bool:
    """May this account log in for submission now?"""
    with smtplib.SMTP("127.0.0.1", gateway.handout.ports.submission, timeout=60) as smtp:
        smtp.starttls(context=tls(gateway.handout))
        try:
            smtp.login(account.login, password or account.password)
        except smtplib.SMTPAuthenticationError:
            return False
        return True


def recipient_reply(gateway: GatewayProcess, address: str) -> int:
    """The reply code that a listed operator gets for a recipient."""
    handout = gateway.handout
    with smtplib.SMTP("127.0.0.1", handout.ports.mta, timeout=60) as smtp:
        smtp.starttls(context=tls(handout, handout.operator))
        smtp.ehlo("hopital.example")
        assert smtp.mail(f"a@{handout.operator.domain}")[0] == 250
        return smtp.rcpt(address)[0]


@pytest.mark.req("OPS-1", "BAL-5")
def test_the_running_gateway_obeys_at_once(gateway: GatewayProcess) -> None:
    """Suspend: no login, mail received. Close: refused. Activate: all is well again."""
    account = gateway.handout.account("CAB")
    assert login(gateway, account)
    asked(gateway, "bal", "suspend", account.address, "--reason", "essai")
    assert not login(gateway, account)
    assert recipient_reply(gateway, account.address) == 250
    asked(gateway, "bal", "close", account.address, "--reason", "essai")
    assert recipient_reply(gateway, account.address) == 550
    shown = asked(gateway, "bal", "show", account.address)["bal"]
    assert (shown["state"], shown["state_reason"]) == ("closed", "essai")
    status, said = command(gateway.config, "bal", "purge", account.address, "--reason", "essai")
    assert status == 4
    assert "more days" in said
    asked(gateway, "bal", "activate", account.address, "--reason", "essai")
    assert recipient_reply(gateway, account.address) == 250
    assert login(gateway, account)


@pytest.mark.req("OPS-1")
def test_a_new_password_holds_at_once(gateway: GatewayProcess) -> None:
    """The old one is remembered by nobody."""
    account = gateway.handout.account("PER")
    assert login(gateway, account)
    asked(gateway, "bal", "passwd", account.login, "--password", "un-autre-mot-de-passe")
    assert not login(gateway, account)
    assert login(gateway, account, "un-autre-mot-de-passe")
    asked(gateway, "bal", "passwd", account.login, "--password", account.password)
    assert login(gateway, account)


@pytest.mark.req("CHN-10", "INS-7")
def test_channels_are_opened_and_closed_by_hand(gateway: GatewayProcess) -> None:
    """With a reason; the patient is shown masked."""
    patient, bal = gateway.handout.patients.active, gateway.handout.account("PER").address
    for verb, state in (("open", "open"), ("close", "closed")):
        asked(gateway, "channel", verb, patient, bal, "--reason", "essai")
        shown = asked(gateway, "channel", "show", patient, bal)["channel"]
        assert shown["state"] == state
        assert patient[:15] not in json.dumps(asked(gateway, "channel", "list"))


@pytest.mark.req("OPS-3", "BAL-8", "INS-7")
def test_explain_tells_facts_verdicts_and_route(gateway: GatewayProcess, tmp_path: Path) -> None:
    """Exit 0 when the message would be accepted, 1 when refused; the INS is masked, nothing is stored."""
    handout = gateway.handout
    patient = handout.patients.active
    file = tmp_path / "m.eml"
    file.write_bytes(letter(handout.app.address, patient, "Sujet secret")[1])
    status, said = command(
        gateway.config, "explain", str(file), "--from", handout.app.address, "--to", patient
    )
    assert status == 0, said
    assert "X-MSS-MES: FIN" in said
    assert patient[:15] not in said
    assert "secret" not in said
    status, said = command(
        gateway.config, "explain", str(file), "--from", handout.app.address, "--to", "a@example.org", "--json"
    )
    assert status == 1
    assert json.loads(said)["recipients"][0]["reason"] == "outside-trust-space"


@pytest.mark.req("OPS-1")
@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (("bal", "show", "inconnu@clinique-exemple.mssante.fr"), 3, "no mailbox"),
        (("bal", "show", "a@example.org"), 5, "not hosted here"),
        (("bal", "show", "pas une adresse"), 2, "address"),
        (
            ("bal", "add", "x@clinique-exemple.mssante.fr", "-t", "XXX", "--password", "123456789012"),
            2,
            "PER, ORG",
        ),
        (("bal", "add", "x@clinique-exemple.mssante.fr", "-t", "PER", "--password", "court"), 2, ""),
        (("patient", "add", "285037728417347"), 2, "key"),
        (("patient", "add", "12"), 2, "15 characters"),
        (("channel", "show", "a@exemple.fr", "b@exemple.fr"), 3, "never exchanged"),
    ],
)
def test_wrong_input_gets_a_sentence(
    gateway: GatewayProcess, words: tuple[str, ...], status: int, sentence: str
) -> None:
    """The exit code says the kind, the sentence what to do; no traceback."""
    found, said = command(gateway.config, *words)
    assert found == status, said
    assert sentence in " ".join(said.split())


@pytest.mark.req("OPS-6")
def test_a_missing_configuration_is_one_sentence(tmp_path: Path) -> None:
    """Exit 1, and what to do."""
    status, said = command(tmp_path / "nowhere.toml", "bal", "list")
    assert status == 1
    assert "mss-gateway init" in " ".join(said.split())


def test_help_is_quick() -> None:
    """The command line loads nothing heavy before a command needs it."""
    code = (
        "import sys, mss_gateway.cli.root\n"
        "print({'pydantic', 'cryptography', 'lxml', 'apsw', 'signxml'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=110, check=True
    )
    assert done.stdout.strip() == "set()"
