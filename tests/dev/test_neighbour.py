"""The independent operator of the trust space, spoken to by Python's own smtplib answering to an aiosmtpd of ours."""

from __future__ import annotations

import json
import smtplib
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from mss_gateway.dev.configuration import NEIGHBOURS, OURS
from mss_gateway.dev.dns import NameServer, mail_zone
from mss_gateway.dev.neighbour import BEHAVIOUR, MAIL
from mss_gateway.dev.neighbour_identity import Identity
from mss_gateway.dev.smarthost import Alerts
from mss_gateway.dev.space import HOSTED, OPERATOR, Space, make_space
from tests.support.ports import free_ports

WAIT = 15.0  # seconds; only a fault reaches it
ME = f"medecin.exemple@{HOSTED}"


@dataclass
class Scene:
    """The neighbour under test and the folder of what it sends to us."""

    space: Space
    port: int
    folder: Path
    inbox: Path

    def session(self, *, certificate: bool = True) -> smtplib.SMTP:
        """A session past STARTTLS and EHLO."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(self.space.ca)
        if certificate:
            context.load_cert_chain(self.space.gateway.cert, self.space.gateway.key)
        smtp = smtplib.SMTP(NEIGHBOURS, self.port, timeout=WAIT)
        smtp.starttls(context=context)
        smtp.ehlo()
        return smtp

    def send(self, local: str, *, receipt: bool = False, sender: str = ME) -> EmailMessage:
        """A message to a name at the neighbour's; raises what smtplib raises."""
        message = EmailMessage()
        message["From"], message["To"] = f"Médecin Exemple <{ME}>", f"{local}@{OPERATOR}"
        message["Subject"], message["Message-ID"] = "Compte rendu de Zoé", f"<{time.time_ns()}@{HOSTED}>"
        if receipt:
            message["Disposition-Notification-To"] = ME
        message.set_content("Bonjour.\n")
        with self.session() as smtp:
            smtp.send_message(message, from_addr=sender)
        return message

    def kept(self) -> list[Path]:
        """What the neighbour has stored."""
        return sorted((self.folder / MAIL).glob("*.eml"))

    def mentioned(self, message: EmailMessage) -> list[Path]:
        """What it has sent us with this message's id anywhere in it."""
        needle = str(message["Message-ID"]).encode()
        return [path for path in self.inbox.glob("*.eml") if needle in path.read_bytes()]

    def received(self, answering: EmailMessage) -> EmailMessage:
        """What it has sent us in answer to a message."""
        limit = time.monotonic() + WAIT
        while time.monotonic() < limit:
            for path in self.inbox.glob("*.eml"):
                found = message_from_bytes(path.read_bytes(), policy=policy.default)
                if found["In-Reply-To"] == answering["Message-ID"]:
                    assert isinstance(found, EmailMessage)
                    return found
            time.sleep(0.02)
        raise AssertionError("no answer has come")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The neighbour as a process, a name server, and a server of ours that takes what it sends."""
    folder = tmp_path_factory.mktemp("neighbour")
    space = make_space(folder)
    (port,) = free_ports(1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(space.gateway.cert, space.gateway.key)
    context.load_verify_locations(space.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    inbox = folder / "inbox"
    ours = Controller(Alerts(inbox), hostname=OURS, port=port, tls_context=context, require_starttls=True)
    zone = mail_zone({f"mx.{HOSTED}": (OURS, (HOSTED,))})
    with NameServer(zone) as nameserver:
        operator = space.operator
        identity = Identity(
            OPERATOR, NEIGHBOURS, port, operator.cert, operator.key, space.ca, nameserver.endpoint
        )
        identity.write(folder)
        ours.start()
        process = subprocess.Popen([sys.executable, "-m", "mss_gateway.dev.neighbour", str(folder)])
        try:
            limit = time.monotonic() + WAIT
            while time.monotonic() < limit:
                try:
                    smtplib.SMTP(NEIGHBOURS, port, timeout=1.0).close()
                    break
                except OSError:
                    time.sleep(0.02)
            yield Scene(space, port, folder, inbox)
        finally:
            process.terminate()
            assert process.wait(WAIT) == 0
            ours.stop()


def test_it_wants_mutual_tls(scene: Scene) -> None:
    """Nothing in the clear, nothing from a client without a certificate."""
    with smtplib.SMTP(NEIGHBOURS, scene.port, timeout=WAIT) as smtp:
        smtp.ehlo()
        assert smtp.mail(ME)[0] == 530
    with pytest.raises((OSError, smtplib.SMTPException)):
        scene.session(certificate=False)


def test_it_keeps_what_it_takes_with_envelope_and_peer(scene: Scene) -> None:
    """The octets as they came, and beside them who sent them over which TLS."""
    message = scene.send("accueil")
    path = scene.kept()[-1]
    assert path.read_bytes() == message.as_bytes(policy=policy.SMTP)
    told = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert told == {
        "sender": ME,
        "recipients": [f"accueil@{OPERATOR}"],
        "peer": f"mx.{HOSTED}",
        "tls": told["tls"],
    }
    assert told["tls"].startswith("TLSv1.")


@pytest.mark.parametrize(("local", "code"), [("refuse", 550), ("refuse.encore", 550), ("full", 452)])
def test_it_refuses_by_name(scene: Scene, local: str, code: int) -> None:
    """A word at the start of the local part decides, and nothing is kept."""
    before = scene.kept()
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        scene.send(local)
    assert [reply for reply, _ in refused.value.recipients.values()] == [code]
    assert scene.kept() == before


def test_it_takes_at_the_second_attempt(scene: Scene) -> None:
    """`later` is temporary once."""
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        scene.send("later")
    assert [reply for reply, _ in refused.value.recipients.values()] == [451]
    scene.send("later")


def test_it_drops_the_connection_after_the_data(scene: Scene) -> None:
    """The sender cannot know what became of the message."""
    with pytest.raises(smtplib.SMTPServerDisconnected):
        scene.send("drop")


def test_a_file_rules_over_the_names(scene: Scene) -> None:
    """While FOLDER/behaviour is there, its word counts for everybody."""
    order = scene.folder / BEHAVIOUR
    order.write_text("refuse\n", encoding="ascii")
    try:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            scene.send("accueil")
    finally:
        order.unlink()
    scene.send("accueil")


def test_it_answers(scene: Scene) -> None:
    """A reply in the thread, under its own address."""
    sent = scene.send("answer")
    answer = scene.received(sent)
    assert answer["Subject"] == "Re: Compte rendu de Zoé"
    assert answer["References"] == sent["Message-ID"]
    assert answer["From"] == answer["X-Envelope-From"] == f"answer@{OPERATOR}"


def test_it_sends_the_receipt_that_is_asked_for(scene: Scene) -> None:
    """An MDN with a null return path (RFC 8098), and none when nobody asks."""
    unasked = scene.send("mdn")
    sent = scene.send("mdn", receipt=True)
    report = scene.received(sent)
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "disposition-notification"
    assert report["X-Envelope-From"] == "<>"
    fields = next(part for part in report.walk() if part.get_content_subtype() == "disposition-notification")
    text = fields.as_string()
    assert f"Original-Message-ID: {sent['Message-ID']}" in text
    assert "Disposition: manual-action/MDN-sent-manually; displayed" in text
    assert not scene.mentioned(unasked)


@pytest.mark.parametrize("receipt", [True, False])
def test_it_reports_an_integration_error(scene: Scene, receipt: bool) -> None:
    """As an MDN where one was asked for, else as a mail with the original (domain 11)."""
    sent = scene.send("ko", receipt=receipt)
    report = scene.received(sent)
    assert report["Subject"] == "[KO Intégration système !][902] Compte rendu de Zoé"
    if receipt:
        assert "processed/Error: 902^Identifiant patient inconnu" in " ".join(report.as_string().split())
        assert report["X-Envelope-From"] == "<>"
    else:
        assert report.get_content_type() == "multipart/mixed"
        names = [part.get_filename() for part in report.walk()]
        assert "message_original.eml" in names


def test_nothing_automatic_is_answered(scene: Scene) -> None:
    """A report of ours to `answer` is kept, and that is all."""
    sent = scene.send("answer", sender="<>")
    assert sent["Message-ID"] is not None
    marker = scene.send("answer")
    scene.received(marker)
    assert not scene.mentioned(sent)
