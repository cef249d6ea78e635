"""Our mail to a real Postfix that requires client certificates (TRU-5, QUE-1, QUE-2, RCP-1)."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from mss_gateway.dev.wire import looked_up, report_fields
from tests.support.pki import new_pki
from tests.support.postfix_relay import always, first_of, once
from tests.support.postfix_scene import Neighbours, neighbours, submit, until

pytestmark = [pytest.mark.foreign, pytest.mark.timeout(600)]
TALKATIVE = "debug_peer_list = 127.0.0.1\ndebug_peer_level = 1"
OLD = "smtpd_discard_ehlo_keywords = chunking, pipelining, dsn, smtputf8, 8bitmime, enhancedstatuscodes, size"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neighbours]:
    """A Postfix that writes down each command and has its moods with some people, and our gateway."""
    moods = (
        once("450 4.7.1 Greylisted, come back later", "gris", "grise"),
        once("452 4.2.2 Mailbox full", "plein"),
        always("552 5.2.2 Mailbox full", "comble"),
    )
    with neighbours(tmp_path_factory.mktemp("out"), more=TALKATIVE, verdict=first_of(*moods)) as found:
        yield found


@contextlib.contextmanager
def stopped(scene: Neighbours) -> Iterator[None]:
    """Postfix does not run meanwhile."""
    scene.postfix.stop()
    yield
    scene.postfix.run()


def arrived(scene: Neighbours, message_id: str, recipient: str, data: bytes) -> bytes:
    """Exactly one copy, whose octets are ours."""
    until(lambda: bool(scene.postfix.copies(message_id, recipient)), scene.postfix.log_tail)
    (one,) = scene.postfix.copies(message_id, recipient)
    assert one.octets.endswith(data)
    return one.octets


def reports(scene: Neighbours, message_id: str) -> list[EmailMessage]:
    """What the doctor was told of a message, by whomever."""
    found = looked_up(scene.served.handout, scene.doctor, "Subject", '""')
    return [one.message for one in found if message_id.encode() in one.octets and b"<>" in one.octets[:20]]


@pytest.mark.req("TRU-5", "RTE-7")
def test_one_message_arrives_byte_for_byte(scene: Neighbours) -> None:
    """Over a verified client certificate; no octet changes: dots, eight bits, long lines."""
    text = ".\r\n..\r\nfin\r\n" + "é" * 400 + "\r\n" + "a" * 990 + "\r\n.fin\r\n"
    message_id, data = scene.letter(text=text)
    scene.writes(data, scene.person(), mail="BODY=8BITMIME")
    scene.quiet()
    kept = arrived(scene, message_id, scene.person(), data)
    assert b'Client CN "mx.clinique-exemple.mssante.fr"' in kept
    assert b"(verified OK)" in kept
    assert b"TLSv1.3" in kept
    assert scene.events(message_id) == [("relayed", "sent")]


@pytest.mark.req("TRU-5", "RCP-1")
def test_what_postfix_offers_is_used(scene: Neighbours) -> None:
    """SIZE, 8BITMIME, SMTPUTF8, DSN and CHUNKING, as Postfix writes them down; MAIL, RCPT and BDAT in one go."""
    recipient = scene.person("hélène")
    message_id, data = scene.letter("hélène", text="Été.\r\n")
    scene.writes(
        data,
        recipient,
        mail="SMTPUTF8 BODY=8BITMIME RET=HDRS ENVID=dossier-7",
        rcpt="NOTIFY=FAILURE,DELAY ORCPT=utf-8;h\\x{E9}l\\x{E8}ne@hopital-voisin.mssante.fr",
    )
    scene.quiet()
    kept = arrived(scene, message_id, recipient, data)
    assert b"with UTF8SMTPS" in kept
    (mail,) = scene.postfix.said(r"< \S+: MAIL FROM:.*ENVID=dossier-7")
    trace = b"\r\nReceived: "
    size = len(kept) - kept.index(trace, kept.index(trace) + 1) - 2  # all behind Postfix's own trace is ours
    for wish in (f"SIZE={size}", "BODY=8BITMIME", "SMTPUTF8", "RET=HDRS"):
        assert wish in mail.split()
    (rcpt,) = scene.postfix.said(r"< \S+: RCPT TO:.*ORCPT=utf-8;")
    assert "NOTIFY=" in rcpt
    assert scene.postfix.said(rf"< \S+: BDAT {size} LAST")
    assert not scene.postfix.said(r"< \S+: DATA$")


@pytest.mark.req("RCP-1")
def test_a_wish_for_success_is_passed_on_and_answered_by_postfix(scene: Neighbours) -> None:
    """Postfix tells the delivery over its own certificate; we write no report of the relaying beside it."""
    message_id, data = scene.letter("heureux")
    wish = "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;heureux@hopital-voisin.mssante.fr"
    scene.writes(data, scene.person("heureux"), mail="ENVID=QQ-314 RET=HDRS", rcpt=wish)
    scene.quiet()
    until(lambda: len(reports(scene, message_id)) > 0, scene.postfix.log_tail)
    (report,) = reports(scene, message_id)
    fields = report_fields(report)
    assert (fields["action"], fields["status"]) == ("delivered", "2.0.0")
    assert fields["original-envelope-id"] == "QQ-314"
    assert fields["original-recipient"] == "rfc822;heureux@hopital-voisin.mssante.fr"
    assert fields["reporting-mta"] == "dns; mx.hopital-voisin.mssante.fr"
    assert scene.events(message_id) == [("relayed", "sent")]


@pytest.mark.req("QUE-2", "QUE-1", "RTE-7")
def test_300_messages_share_few_connections(scene: Neighbours) -> None:
    """Each arrives once and whole; connections are kept for as many messages as the settings say."""
    before = len(scene.postfix.said(r"\bconnect from "))
    sent = {}
    with contextlib.closing(scene.served.submission(scene.doctor)) as client:
        for number in range(300):
            message_id, data = scene.letter("suite", text=f"Numero {number}.\r\n" * 20)
            submit(client, scene.doctor.address, data, scene.person("suite"))
            sent[message_id] = data
    scene.quiet()
    until(lambda: scene.postfix.queued() == 0, scene.postfix.log_tail)
    kept = [one.octets for one in scene.postfix.kept() if one.recipient == scene.person("suite")]
    assert len(kept) == 300
    for message_id, data in sent.items():
        assert sum(octets.endswith(data) and message_id.encode() in octets for octets in kept) == 1
    relay = scene.served.settings.relay.limits
    opened = len(scene.postfix.said(r"\bconnect from ")) - before
    assert opened <= relay.per_host + 300 // relay.messages + 1


@pytest.mark.req("TRU-5", "RTE-7", "RCP-6")
def test_an_old_postfix_gets_what_it_can_take(tmp_path: Path) -> None:
    """Without any extension: plain mail goes by DATA with its dots; eight bits come back, nothing is cut."""
    with neighbours(tmp_path, more=f"{TALKATIVE}\n{OLD}") as scene:
        message_id, data = scene.letter(text=".\r\n..seul\r\nfin\r\n")
        scene.writes(data, scene.person(), rcpt="NOTIFY=SUCCESS")
        scene.quiet()
        arrived(scene, message_id, scene.person(), data)
        assert scene.postfix.said(r"< \S+: DATA$")
        assert scene.postfix.said(r"< \S+: MAIL FROM:<[^>]*>$")
        assert [event for event, _ in scene.events(message_id)] == ["relayed", "report-written"]
        (report,) = reports(scene, message_id)
        assert report_fields(report)["action"] == "relayed"
        message_id, data = scene.letter(text="Été.\r\n")
        scene.writes(data, scene.person(), mail="BODY=8BITMIME")
        came_back(scene, message_id, "peer-needs-8bitmime")


def came_back(scene: Neighbours, message_id: str, reason: str) -> None:
    """The message never left: one report, and the reason on the timeline."""
    scene.quiet()
    assert scene.events(message_id)[0] == ("relay-failed", reason)
    (report,) = reports(scene, message_id)
    assert report_fields(report)["action"] == "failed"
    assert scene.postfix.copies(message_id) == []


@pytest.mark.req("TRU-5", "RCP-6")
def test_what_postfix_has_no_room_or_no_letters_for_comes_back(tmp_path: Path) -> None:
    """SMTPUTF8 is missing and SIZE is small: what needs more comes back without a word sent, the rest passes."""
    more = "smtpd_discard_ehlo_keywords = smtputf8\nmessage_size_limit = 20000\n" + TALKATIVE
    with neighbours(tmp_path, more=more) as scene:
        message_id, data = scene.letter(text="a" * 70 + "\r\n")
        scene.writes(data + (b"b" * 70 + b"\r\n") * 400, scene.person())
        came_back(scene, message_id, "too-large-for-peer")
        message_id, data = scene.letter(text="Ete.\r\n")
        scene.writes(data, scene.person("hélène"), mail="SMTPUTF8")
        came_back(scene, message_id, "peer-needs-smtputf8")
        assert not scene.postfix.said(r"< \S+: MAIL FROM")
        message_id, data = scene.letter(text="Été.\r\n")
        scene.writes(data, scene.person(), mail="BODY=8BITMIME")
        scene.quiet()
        arrived(scene, message_id, scene.person(), data)


@pytest.mark.req("QUE-1", "QUE-2")
def test_a_postfix_that_is_stopped_gets_its_mail_when_it_is_back(scene: Neighbours) -> None:
    """Nothing listens, then it starts: each message once, no report."""
    sent = [scene.letter(text=f"{number}\r\n") for number in range(5)]
    with stopped(scene):
        for _, data in sent:
            scene.writes(data, scene.person())
        until(lambda: any(scene.events(message_id) for message_id, _ in sent))
        assert scene.waiting() == 5
    scene.quiet()
    for message_id, data in sent:
        arrived(scene, message_id, scene.person(), data)
        assert scene.events(message_id)[-1] == ("relayed", "sent")
        assert reports(scene, message_id) == []


_QUEUED_AS = re.compile(rb"\(Postfix\) with E?SMTPS? id ([0-9A-Za-z]+)")


@pytest.mark.req("QUE-1", "QUE-2")
def test_a_restart_in_the_middle_of_300_messages_loses_none(tmp_path: Path) -> None:
    """Killed once, stopped once: each message is there, handed over twice only where its 250 had not reached us.

    What counts is how often Postfix has taken it: killed between its own delivery and the end of its queue file, it
    writes the same one twice.
    """
    with neighbours(tmp_path, running=False) as scene:
        sent = {}
        with contextlib.closing(scene.served.submission(scene.doctor)) as client:
            for number in range(300):
                message_id, data = scene.letter(text=f"{number}\r\n")
                submit(client, scene.doctor.address, data, scene.person())
                sent[message_id] = data
        for most, end in ((280, scene.postfix.kill), (220, scene.postfix.stop)):
            scene.postfix.run()
            until(lambda most=most: scene.waiting() < most, scene.postfix.log_tail)  # type: ignore[misc]
            end()
        assert scene.waiting() > 0  # both ends came in the middle
        scene.postfix.run()
        scene.quiet()
        until(lambda: scene.postfix.queued() == 0, scene.postfix.log_tail)
        kept = [one.octets for one in scene.postfix.kept()]
        for message_id, data in sent.items():
            copies = [one for one in kept if one.endswith(data) and message_id.encode() in one]
            taken = {_QUEUED_AS.findall(octets)[0] for octets in copies}
            doubtful = sum(event == "uncertain" for event, _ in scene.events(message_id))
            assert 1 <= len(taken) <= 1 + doubtful, (message_id, taken, scene.events(message_id))
        assert sum(reports(scene, one) != [] for one in list(sent)[:10]) == 0


@pytest.mark.req("TRU-5", "QUE-1")
def test_a_postfix_that_does_not_trust_our_authority_keeps_us_waiting(scene: Neighbours) -> None:
    """It ends the session after TLS: its words are in our queue, nobody is told; with our authority the mail goes."""
    conf, other = scene.postfix.root / "etc" / "main.cf", scene.postfix.root / "other-ca.pem"
    other.write_bytes(new_pki(label="ETRANGERE").ca_pem)
    ours = conf.read_text()
    message_id, data = scene.letter()
    with stopped(scene):
        conf.write_text(f"{ours}\nsmtpd_tls_CAfile = {other}\n")
    scene.writes(data, scene.person())
    until(lambda: ("deferred", "peer-temporary") in scene.events(message_id))
    (row,) = scene.queue()
    words = "421 4.7.1 mx.hopital-voisin.mssante.fr Error: Client certificate not trusted"
    assert row.last_error.endswith(words)
    with stopped(scene):
        conf.write_text(ours)
    scene.quiet()
    arrived(scene, message_id, scene.person(), data)
    assert reports(scene, message_id) == []


@pytest.mark.req("QUE-1", "QUE-2")
def test_greylisting_delays_and_loses_nothing(scene: Neighbours) -> None:
    """450 to both the first time: tried again, taken once, nobody is told."""
    message_id, data = scene.letter("gris", "grise")
    scene.writes(data, scene.person("gris"), scene.person("grise"), rcpt="NOTIFY=FAILURE,DELAY")
    scene.quiet()
    for local in ("gris", "grise"):
        arrived(scene, message_id, scene.person(local), data)
    expected = [("deferred", "peer-temporary")] * 2 + [("relayed", "sent")] * 2
    assert sorted(scene.events(message_id)) == expected
    assert reports(scene, message_id) == []


@pytest.mark.req("QUE-1", "RCP-1")
def test_one_of_several_mailboxes_is_full_for_a_while(scene: Neighbours) -> None:
    """452 4.2.2 for one: the others have theirs at once, it gets its copy later, nobody twice."""
    message_id, data = scene.letter("a", "plein", "b")
    scene.writes(data, *(scene.person(local) for local in ("a", "plein", "b")))
    scene.quiet()
    for local in ("a", "plein", "b"):
        arrived(scene, message_id, scene.person(local), data)
    assert sorted(event for event, _ in scene.events(message_id)) == ["deferred"] + ["relayed"] * 3
    assert reports(scene, message_id) == []


@pytest.mark.req("QUE-1", "RCP-1", "RCP-6")
def test_a_mailbox_that_is_full_for_good_comes_back_with_its_reason(scene: Neighbours) -> None:
    """552 5.2.2 for one: one report with the peer's words, without the body; the other has its copy."""
    message_id, data = scene.letter("a", "comble", text="confidentiel\r\n")
    scene.writes(data, scene.person("a"), scene.person("comble"))
    scene.quiet()
    arrived(scene, message_id, scene.person("a"), data)
    assert scene.postfix.copies(message_id, scene.person("comble")) == []
    (report,) = reports(scene, message_id)
    fields = report_fields(report)
    assert (fields["action"], fields["status"]) == ("failed", "5.2.2")
    assert fields["final-recipient"] == f"rfc822; {scene.person('comble')}"
    assert "Mailbox full" in fields["diagnostic-code"]
    assert b"confidentiel" not in report.as_bytes()
