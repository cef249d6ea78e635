"""A real Postfix brings its people's mail to our port 25, with a client certificate (TRU-1, TRU-2, RTE-1, RCP-1)."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from mss_gateway.dev.handout import Credential
from mss_gateway.dev.wire import mailbox, parsed, report_fields
from tests.support.doors import Served
from tests.support.journeys import letter
from tests.support.postfix_scene import Neighbours, alone, neighbours, until
from tests.support.process import GatewayProcess

pytestmark = [pytest.mark.foreign, pytest.mark.timeout(600)]
CACHE = "smtp_tls_session_cache_database = btree:${data_directory}/smtp_scache"  # asks to resume TLS sessions


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neighbours]:
    """A listed operator's Postfix beside our gateway."""
    with neighbours(tmp_path_factory.mktemp("in"), more=CACHE) as found:
        yield found


def bounce(scene: Neighbours, message_id: str, recipient: str) -> EmailMessage:
    """The one report that Postfix delivered to its own sender about a message."""

    def about() -> list[EmailMessage]:
        mark = message_id.encode()
        kept = [one for one in scene.postfix.kept() if one.recipient == recipient and mark in one.octets]
        return [parsed(one.octets) for one in kept if b"multipart/report" in one.octets]

    until(lambda: bool(about()), scene.postfix.log_tail)
    (report,) = about()
    return report


@pytest.mark.req("TRU-1", "TRU-4", "RTE-1", "RTE-7")
def test_a_listed_postfix_delivers_byte_for_byte(scene: Neighbours) -> None:
    """Into the mailbox, with our trace in front, over TLS 1.3 with its certificate."""
    sender, doctor = scene.person("expediteur"), scene.doctor.address
    message_id, data = letter(sender, doctor, text=".\r\nÉté.\r\n" + "a" * 900 + "\r\n")
    scene.postfix.sends(sender, [doctor], data)
    kept = scene.found(message_id)
    assert kept is not None
    assert kept.endswith(data)
    assert kept.startswith(f"Return-Path: <{sender}>\r\nReceived: from mx.{scene.postfix.domain} ".encode())
    assert b"TLSv1.3" in kept
    assert scene.postfix.said("TLS connection established to 127.0.0.1")


@pytest.mark.req("RTE-4", "RTE-1")
def test_100_messages_come_once_each(scene: Neighbours) -> None:
    """As many connections and transactions as Postfix likes; each message once, none left there."""
    sender, doctor = scene.person("serie"), scene.doctor.address
    sent = []
    for number in range(100):
        message_id, data = letter(sender, doctor, text=f"Numero {number}.\r\n")
        scene.postfix.sends(sender, [doctor], data)
        sent.append(message_id)
    until(lambda: scene.postfix.queued() == 0, scene.postfix.log_tail)
    accepted = [
        line for message_id in sent for line in scene.served.call(scene.served.parts.store.trace(message_id))
    ]
    assert [line.event for line in accepted] == ["accepted"] * 100
    assert scene.found(sent[-1]) is not None


@pytest.mark.req("RCP-1")
def test_postfix_is_told_of_the_delivery_it_asked_for(scene: Neighbours) -> None:
    """NOTIFY=SUCCESS with ENVID and ORCPT: our report arrives at its sender, over our certificate."""
    sender, doctor = scene.person("curieux"), scene.doctor.address
    message_id, data = letter(sender, doctor)
    scene.postfix.sends(
        sender,
        [doctor],
        data,
        mail=["RET=HDRS", "ENVID=QQ-271"],
        rcpt=f"NOTIFY=SUCCESS ORCPT=rfc822;{doctor}",
    )
    report = bounce(scene, message_id, sender)
    fields = report_fields(report)
    assert (fields["action"], fields["status"]) == ("delivered", "2.0.0")
    assert fields["original-envelope-id"] == "QQ-271"
    assert report["Return-Path"] == "<>"
    assert fields["final-recipient"].replace(" ", "") == f"rfc822;{doctor}"


@pytest.mark.req("RTE-1", "RTE-3", "BAL-7")
@pytest.mark.parametrize(
    ("sender", "recipient", "words"),
    [
        ("expediteur", "inconnu@clinique-exemple.mssante.fr", "550 5.1.1 "),
        ("expediteur", "quelqu.un@example.org", "550 5.7.1 "),
    ],
    ids=["nobody-here", "outside-the-trust-space"],
)
def test_what_we_refuse_for_good_comes_back_to_its_sender(
    scene: Neighbours, sender: str, recipient: str, words: str
) -> None:
    """Postfix returns our words to the writer; nothing is stored, nothing leaves."""
    writer = scene.person(f"{sender}.{recipient.partition('@')[0]}")
    message_id, data = letter(writer, recipient)
    scene.postfix.sends(writer, [recipient], data)
    fields = report_fields(bounce(scene, message_id, writer))
    assert fields["action"] == "failed"
    assert words in fields["diagnostic-code"]


@pytest.mark.req("RTE-4", "QUE-1")
def test_our_restart_in_the_middle_of_their_delivery_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Our gateway is asked to stop and started again: Postfix keeps what was not taken, and each comes once."""
    gateway = GatewayProcess(tmp_path / "gateway")
    handout = gateway.handout
    with alone(handout.operator, handout.ca, handout.ports.mta) as postfix:
        doctor, sender = handout.account("PER"), f"expediteur@{postfix.domain}"
        sent = [letter(sender, doctor.address, text=f"Numero {number}.\r\n") for number in range(60)]
        for _, data in sent[:30]:
            postfix.sends(sender, [doctor.address], data)
        until(lambda: bool(postfix.said("status=sent")), postfix.log_tail)
        assert gateway.stop() == 0
        for _, data in sent[30:]:
            postfix.sends(sender, [doctor.address], data)
        until(lambda: bool(postfix.said("status=deferred")), postfix.log_tail)
        gateway.start()
        until(lambda: postfix.queued() == 0, postfix.flush)
        assert not postfix.said("status=bounced")
    with mailbox(handout, doctor) as imap:
        imap.select("INBOX", readonly=True)
        for message_id, _ in sent:
            found = imap.search(None, "HEADER", "Message-ID", f'"{message_id}"')[1]
            assert len(found[0].split()) == 1
    assert gateway.stop() == 0


def told(scene: Neighbours) -> list[str]:
    """Why handshakes were refused, after the functional trace."""
    scene.served.call(scene.served.parts.notes.flush())
    lines = scene.served.call(scene.served.parts.store.trace())
    return [line.detail["reason"] for line in lines if line.event == "tls-refused"]


REVOKED = ("certificate revoked", "certificate-revoked")
EXPIRED = ("certificate expired", "certificate-expired")


@pytest.mark.req("TRU-1", "TRU-2", "TRU-6")
@pytest.mark.parametrize(
    ("name", "alert", "reason"), [("revoked", *REVOKED), ("expired", *EXPIRED)], ids=["revoked", "expired"]
)
def test_a_bad_certificate_keeps_the_mail_at_postfix(
    tmp_path: Path, name: str, alert: str, reason: str
) -> None:
    """It stays deferred there, with a reason that its operator can read in his log; ours has the same."""

    def credential(served: Served) -> Credential:
        return served.handout.refused[name]

    with neighbours(tmp_path, credential=credential) as scene:
        sender, doctor = scene.person("expediteur"), scene.doctor.address
        message_id, data = letter(sender, doctor)
        scene.postfix.sends(sender, [doctor], data)
        until(lambda: bool(scene.postfix.said(r"status=deferred")), scene.postfix.log_tail)
        assert scene.postfix.said(f"alert {alert}"), scene.postfix.log
        assert scene.postfix.queued() == 1
        assert not scene.postfix.said("status=(sent|bounced)")
        until(lambda: reason in told(scene))
        assert scene.found(message_id, wait=0) is None
