"""A person writes from a mailbox that is not theirs, without reading it, for as long as they may (BAL-6)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from mss_gateway.dev.handout import Account
from mss_gateway.ops.operation import OperationRefused
from mss_gateway.pipeline.intake import Clock
from tests.support.doors import Served, gateway_in_thread
from tests.support.wires import Smtp

DAY = 86400.0


def day(after: int) -> str:
    """A date so many days from today, as it is here."""
    return (datetime.now().astimezone() + timedelta(days=after)).date().isoformat()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway; at its end no fault of ours may have been counted."""
    with gateway_in_thread(tmp_path_factory.mktemp("delegation")) as gateway:
        yield gateway
        assert gateway.faults() == 0


def operate(served: Served, name: str, **arguments: object) -> dict[str, Any]:
    """An operation of the running gateway."""
    result: dict[str, Any] = served.call(served.parts.operations[name]({"actor": "cli:test", **arguments}))
    return result


@pytest.fixture(scope="module")
def delegate(served: Served) -> Account:
    """The professional who will write for somebody else."""
    return served.account("PER")


@pytest.fixture(scope="module")
def chief(served: Served, delegate: Account) -> str:
    """The mailbox of somebody else."""
    address = f"chef.essai@{delegate.address.partition('@')[2]}"
    operate(
        served,
        "bal.add",
        address=address,
        type="PER",
        national_id="810000000017",
        password="motdepasse-du-chef",
        display="Chef Essai",
    )
    return address


@pytest.fixture
def granted(served: Served, delegate: Account, chief: str) -> Iterator[str]:
    """The right to write from it for two more days; taken away in the end."""
    operate(served, "bal.delegate", address=chief, login=delegate.login, until=day(2), reason="congé")
    yield chief
    for one in operate(served, "bal.show", address=chief)["bal"]["delegates"]:
        operate(served, "bal.delegate", address=chief, login=one["login"], remove=True)


def note(sender: str, *fields: str) -> bytes:
    """A short message."""
    lines = [f"From: {sender}", *fields, "Subject: Avis", "Message-ID: <x@y.example>", "", "Texte", ""]
    return "\r\n".join(lines).encode()


def said(wire: Smtp, sender: str, recipient: str, message: bytes) -> str:
    """The first refusal of a transaction, or its last reply."""
    wire.command("RSET")
    for command in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>"):
        reply = wire.command(command)
        if not reply.startswith("250"):
            return reply
    return wire.data(message)


@pytest.mark.req("BAL-6")
def test_a_delegate_writes_and_is_named_but_reads_nothing(
    served: Served, delegate: Account, granted: str
) -> None:
    to = served.account("CAB")
    with_login = served.submission(delegate)
    assert said(with_login, granted, to.address, note(granted)).startswith("250")
    signed = said(with_login, granted, to.address, note(granted, f"Sender: {delegate.address}"))
    assert signed.startswith("250")
    forged = said(with_login, granted, to.address, note(granted, f"Sender: {granted}"))
    assert forged.startswith("550 5.7.1")
    assert said(with_login, granted, to.address, note(delegate.address)).startswith("550 5.7.1")
    with_login.close()
    reader = served.imap(to, select="INBOX")
    fetched = b"".join(reader.ok("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (FROM SENDER)])"))
    assert fetched.count(b"Sender: ") == fetched.count(b"From: " + granted.encode()) == 2
    assert fetched.count(delegate.address.encode()) == 2
    reader.close()
    own = served.imap(delegate)
    listed = b"".join(own.ok('LIST "" "*"')) + b"".join(own.ok("NAMESPACE"))
    assert b"chef" not in listed.lower()
    own.close()
    box = served.call(served.parts.store.box(granted))
    lines = [
        line
        for line in served.call(served.parts.store.trace(limit=50))
        if line.event == "accepted" and line.detail.get("sender_box") == box.id
    ]
    assert [line.actor for line in lines] == [delegate.login] * 2


@pytest.mark.req("BAL-6")
@pytest.mark.parametrize("form", ["{}, a@b.example", '"{}" <>', "{}@", "=?utf-8?q?{}?=", "Chef:;"])
def test_a_sender_that_cannot_be_read_does_not_hide_the_delegate(
    served: Served, delegate: Account, granted: str, form: str
) -> None:
    """Mail programs show something for it all the same, beside the Sender that the gateway adds."""
    wire = served.submission(delegate)
    answer = said(
        wire, granted, served.account("CAB").address, note(granted, f"Sender: {form.format(granted)}")
    )
    assert answer.startswith("550 5.7.1 Sender must be your own address"), answer
    wire.close()


@pytest.mark.req("BAL-6", "CHN-1", "CHN-2")
def test_a_patient_answers_the_mailbox_and_not_its_delegate(
    served: Served, delegate: Account, granted: str
) -> None:
    patient, wire = served.account("PAT"), served.submission(delegate)
    assert said(wire, granted, patient.address, note(granted)).startswith("250")
    wire.close()
    answering = served.submission(patient)
    assert said(answering, patient.address, granted, note(patient.address)).startswith("250")
    assert said(answering, patient.address, delegate.address, note(patient.address)).startswith("550")
    answering.close()


@pytest.mark.req("BAL-6")
def test_the_right_ends_while_somebody_is_logged_in(
    served: Served, delegate: Account, granted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At MAIL FROM, and at the end of data when the last moment passes in between."""
    to, wire = served.account("CAB").address, served.submission(delegate)
    wire.envelope(granted, to)
    monkeypatch.setattr(served.parts.intake, "_clock", Clock(now=lambda: time.time() + 4 * DAY))
    refused = wire.data(note(granted))
    assert refused.startswith("550 5.7.1")
    assert "ended on" in refused
    assert wire.command(f"MAIL FROM:<{granted}>").startswith("550 5.7.1")
    assert wire.command(f"MAIL FROM:<{delegate.address}>").startswith("250")
    wire.close()


@pytest.mark.req("BAL-5", "BAL-6")
def test_the_right_is_taken_away_and_the_mailbox_suspended(
    served: Served, delegate: Account, granted: str
) -> None:
    to, wire = served.account("CAB").address, served.submission(delegate)
    operate(served, "bal.suspend", address=granted, reason="enquête")
    assert "is suspended" in wire.command(f"MAIL FROM:<{granted}>")
    operate(served, "bal.activate", address=granted, reason="fin")
    operate(served, "bal.delegate", address=granted, login=delegate.login, remove=True)
    assert wire.command(f"MAIL FROM:<{granted}>").startswith("421")
    wire.close()
    again = served.submission(delegate)
    assert said(again, granted, to, note(granted)).startswith("550 5.7.1")
    again.close()
    history = operate(served, "bal.history", address=granted)["history"]
    assert [line["event"] for line in history if "delegate" in line["event"]][-2:] == [
        "bal-delegate",
        "bal-delegate-remove",
    ]
    assert all(line["actor"] == "cli:test" for line in history)


@pytest.mark.req("BAL-6")
def test_a_right_that_has_not_begun(served: Served, delegate: Account, chief: str) -> None:
    later = day(5)
    operate(
        served,
        "bal.delegate",
        address=chief,
        login=delegate.login,
        until=later,
        reason="congé",
        **{"from": day(3)},
    )
    wire = served.submission(delegate)
    assert "begins on" in wire.command(f"MAIL FROM:<{chief}>")
    wire.close()
    shown = operate(served, "person.show", login=delegate.login)["person"]["delegated"]
    assert [(one["address"], one["state"]) for one in shown] == [(chief, "later")]
    operate(served, "bal.delegate", address=chief, login=delegate.login, remove=True)


@pytest.mark.req("BAL-4", "BAL-6", "PAT-1")
def test_who_may_delegate_what_to_whom(served: Served, delegate: Account, chief: str) -> None:
    operate(served, "person.add", login="sans.boite")
    cases: list[tuple[dict[str, object], str]] = [
        ({"address": served.handout.app.address}, "delegation-type"),
        ({"until": "2020-01-01"}, "delegation-time"),
        ({"until": "demain"}, "bad-argument"),
        ({"from": day(2), "until": day(0)}, "delegation-time"),
        ({"reason": " "}, "reason-missing"),
        ({"login": "personne"}, "unknown-login"),
        ({"login": "sans.boite"}, "no-mailbox"),
        ({"login": served.account("PAT").login}, "patient-login"),
        ({"address": delegate.address}, "already"),
        ({"remove": True}, "no-delegate"),
    ]
    asked = {"address": chief, "login": delegate.login, "until": day(2), "reason": "congé"}
    for changes, reason in cases:
        with pytest.raises(OperationRefused) as refused:
            operate(served, "bal.delegate", **{**asked, **changes})
        assert refused.value.reason == reason, changes
    assert operate(served, "bal.show", address=chief)["bal"]["delegates"] == []


@pytest.mark.req("BAL-5", "ACC-3")
def test_a_disabled_person_is_out_at_once(served: Served, chief: str) -> None:
    wire = served.submission()
    assert wire.auth_plain(chief, "motdepasse-du-chef").startswith("235")
    operate(served, "person.disable", login=chief, reason="départ")
    assert wire.command(f"MAIL FROM:<{chief}>").startswith("421")
    wire.close()
    wire = served.submission()
    assert wire.auth_plain(chief, "motdepasse-du-chef").startswith("535")
    wire.close()
    operate(served, "person.enable", login=chief, reason="retour")
