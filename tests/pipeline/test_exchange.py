"""An exchange with a patient through real doors: filing, receipts, notices, closing by itself, the patient's view."""

from __future__ import annotations

import email
import time
from collections.abc import Callable
from email import policy
from email.message import EmailMessage

import pytest

from mss_gateway.mail.address import parse_address
from mss_gateway.ports.records import BoxChoices, TraceLine
from mss_gateway.rules.exchange import EXCHANGES
from mss_gateway.rules.facts import ChannelState
from tests.pipeline.test_line import channel, submit
from tests.support.doors import Served
from tests.support.letters import MEDECIN, ORG, letter, unique
from tests.support.wires import literal

Start = Callable[..., Served]
WAIT = 60.0  # seconds; only what never comes reaches it


def messages(served: Served, kind: str, folder: str = "INBOX") -> list[EmailMessage]:
    """Every message of a folder, `flags` of the message in its X-Flags."""
    imap = served.imap(served.account(kind))
    imap.ok(f'EXAMINE "{folder}"')
    found = []
    for line in imap.ok("UID FETCH 1:* (FLAGS BODY.PEEK[])"):
        if b" FETCH " not in line:
            continue
        parsed = email.message_from_bytes(literal(line), policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        parsed["X-Flags"] = line.split(b"FLAGS (")[1].split(b")")[0].decode()
        found.append(parsed)
    imap.close()
    return found


def awaited(look: Callable[[], list[EmailMessage]], count: int = 1) -> list[EmailMessage]:
    """The messages once there are so many."""
    limit = time.monotonic() + WAIT
    while len(found := look()) < count:
        assert time.monotonic() < limit, "it never came"
        time.sleep(0.02)
    return found


def choose(served: Served, address: str, **choices: object) -> None:
    """Set a mailbox otherwise, as ops do."""
    row = served.call(served.parts.store.box(parse_address(address).key))
    line = TraceLine(time.time(), "bal-set", "")
    served.call(served.parts.store.set_box_choices(row.id, BoxChoices(**choices), line))  # type: ignore[arg-type]


def timeline(served: Served, message_id: str) -> list[str]:
    """The events of a message."""
    return [line.event for line in served.call(served.parts.store.trace(message_id))]


@pytest.mark.req("IMP-2", "CHN-2")
def test_one_conversation_lies_in_one_folder_with_its_thread(special: Start) -> None:
    """The copy of what was sent, read; the answer, unread; headers that thread them; nothing of it in INBOX."""
    served = special()
    patient, sent, answered = served.handout.patients.active, unique("sent"), unique("answer")
    assert submit(served, "PER", patient, letter(MEDECIN, patient, message_id=sent)).startswith("250")
    more = f"In-Reply-To: {sent}\r\nReferences: {sent}\r\n"
    octets = letter(patient, MEDECIN, message_id=answered, more=more)
    assert submit(served, "PAT", MEDECIN, octets).startswith("250")
    mine, theirs = messages(served, "PER", EXCHANGES)
    assert (mine["Message-ID"], theirs["Message-ID"]) == (sent, answered)
    assert theirs["In-Reply-To"] == sent
    assert "\\Seen" in mine["X-Flags"]
    assert "\\Seen" not in theirs["X-Flags"]
    assert messages(served, "PER") == []


@pytest.mark.req("IMP-2")
def test_the_copy_that_a_client_saves_is_there_once(special: Start) -> None:
    """APPEND of the same message to the folder answers with the UID that it has; Sent keeps what is saved there."""
    served = special()
    patient, sent = served.handout.patients.active, unique("saved")
    octets = letter(MEDECIN, patient, message_id=sent)
    assert submit(served, "PER", patient, octets).startswith("250")
    imap = served.imap(served.account("PER"))
    assert b"APPENDUID" in imap.append(f'"{EXCHANGES}"', octets, "(\\Seen)")
    assert b"APPENDUID" in imap.append("Sent", octets, "(\\Seen)")
    imap.close()
    assert [one["Message-ID"] for one in messages(served, "PER", EXCHANGES)] == [sent]
    assert [one["Message-ID"] for one in messages(served, "PER", "Sent")] == [sent]


@pytest.mark.req("IMP-2", "BAL-3")
def test_in_a_shared_mailbox_the_copy_is_read_for_its_author_alone(special: Start) -> None:
    served = special()
    patient, sent = served.handout.patients.active, unique("shared")
    assert submit(served, "ORG", patient, letter(ORG, patient, message_id=sent), ORG).startswith("250")
    members = [account for account in served.handout.accounts if account.type == "ORG"]
    for member, seen in zip(members, (True, False), strict=True):
        imap = served.imap(member)
        imap.ok(f'EXAMINE "{EXCHANGES}"')
        (line,) = imap.ok("FETCH 1 (FLAGS)")
        assert (b"\\Seen" in line) is seen
        imap.close()


@pytest.mark.req("RCP-2", "RCP-6")
@pytest.mark.parametrize("how", ["STORE 1 +FLAGS (\\Seen)", "FETCH 1 (BODY[])", "FETCH 1 (BODY[TEXT])"])
def test_the_first_opening_brings_one_receipt(special: Start, how: str) -> None:
    """Exactly one MDN with the mandatory fields; the copy carries $MDNSent; opening again brings nothing."""
    served = special()
    patient, sent = served.handout.patients.active, unique("asked")
    more = f"Disposition-Notification-To: <{MEDECIN}>\r\n"
    octets = letter(MEDECIN, patient, message_id=sent, more=more)
    assert submit(served, "PER", patient, octets).startswith("250")
    imap = served.imap(served.account("PAT"), select="INBOX")
    imap.ok("FETCH 1 (BODY.PEEK[] FLAGS ENVELOPE)")
    assert messages(served, "PER") == []
    for _ in range(2):
        imap.ok(how)
        imap.ok("STORE 1 -FLAGS.SILENT (\\Seen)")
    (receipt,) = awaited(lambda: messages(served, "PER"))
    assert receipt["Return-Path"] == "<>"
    assert receipt["Auto-Submitted"] == "auto-replied"
    assert receipt["In-Reply-To"] == sent
    assert receipt["References"] == sent
    _, notice, original = receipt.iter_parts()
    fields = str(notice.get_payload()[0])
    for field in (
        f"Original-Message-ID: {sent}",
        f"Original-Recipient: rfc822; {patient}",
        f"Final-Recipient: rfc822; {patient}",
        "Disposition: manual-action/MDN-sent-automatically; displayed",
    ):
        assert field in fields, fields
    assert "Bonjour." not in str(original)
    assert "$MDNSent" in messages(served, "PAT")[0]["X-Flags"]
    assert served.call(served.parts.store.opened()) == []
    assert len(messages(served, "PER")) == 1
    assert timeline(served, sent) == ["accepted", "channel-open", "receipt-opened", "mdn-sent"]
    imap.close()


@pytest.mark.req("RCP-2")
def test_a_copy_that_is_moved_and_opened_elsewhere_brings_its_receipt(special: Start) -> None:
    served = special()
    patient, sent = served.handout.patients.active, unique("moved")
    more = f"Disposition-Notification-To: <{MEDECIN}>\r\n"
    submit(served, "PER", patient, letter(MEDECIN, patient, message_id=sent, more=more))
    imap = served.imap(served.account("PAT"), select="INBOX")
    imap.ok("MOVE 1 Trash")
    imap.ok("SELECT Trash")
    imap.ok("STORE 1 +FLAGS (\\Seen \\Deleted)")
    imap.ok("EXPUNGE")
    imap.close()
    (receipt,) = awaited(lambda: messages(served, "PER"))
    assert receipt["In-Reply-To"] == sent


@pytest.mark.req("RCP-2")
def test_what_is_deleted_unopened_brings_no_receipt(special: Start) -> None:
    served = special()
    patient = served.handout.patients.active
    more = f"Disposition-Notification-To: <{MEDECIN}>\r\n"
    submit(served, "PER", patient, letter(MEDECIN, patient, more=more))
    imap = served.imap(served.account("PAT"), select="INBOX")
    imap.ok("STORE 1 +FLAGS (\\Deleted)")
    imap.ok("EXPUNGE")
    imap.close()
    assert served.call(served.parts.store.opened()) == []
    assert messages(served, "PER") == []


@pytest.mark.req("RCP-4")
def test_a_professional_mailbox_sends_receipts_when_set_to(special: Start) -> None:
    """Off: the client does it. On: one for the first member that opens."""
    served = special()
    more = f"Disposition-Notification-To: <{MEDECIN}>\r\n"
    first, second = unique("quiet"), unique("told")
    assert submit(served, "PER", ORG, letter(MEDECIN, ORG, message_id=first, more=more)).startswith("250")
    choose(served, ORG, server_mdn=True)
    assert submit(served, "PER", ORG, letter(MEDECIN, ORG, message_id=second, more=more)).startswith("250")
    for member in (one for one in served.handout.accounts if one.type == "ORG"):
        imap = served.imap(member, select="INBOX")
        imap.ok("STORE 1:* +FLAGS (\\Seen)")
        imap.close()
    (receipt,) = awaited(lambda: messages(served, "PER"))
    assert receipt["In-Reply-To"] == second


@pytest.mark.req("RCP-4", "TRU-7")
def test_a_client_sends_its_own_receipt_under_the_null_sender(special: Start) -> None:
    """The MDN of a mail client is accepted from its own mailbox; anything else under <> is refused, and a patient."""
    served = special()
    kind = 'multipart/report; report-type=disposition-notification; boundary="b"'
    report = f"MIME-Version: 1.0\r\nContent-Type: {kind}\r\n"
    text = (
        b"--b\r\n\r\nLu.\r\n--b\r\nContent-Type: message/disposition-notification\r\n\r\n"
        b"Original-Message-ID: <given@essai.example>\r\nFinal-Recipient: rfc822; x@y\r\n"
        b"Disposition: manual-action/MDN-sent-manually; displayed\r\n--b--\r\n"
    )
    for octets, code in (
        (letter(MEDECIN, ORG, more=report, text=text), "250"),
        (letter(MEDECIN, ORG), "550"),
        (letter(ORG, ORG, more=report, text=text), "550"),
    ):
        wire = served.submission(served.account("PER"))
        assert wire.command("MAIL FROM:<>").startswith("250")
        assert wire.command(f"RCPT TO:<{ORG}>").startswith("250")
        assert wire.data(octets).startswith(code)
        wire.close()
    assert "mdn-received" in timeline(served, "<given@essai.example>")
    wire = served.submission(served.account("PAT"))
    assert wire.command("MAIL FROM:<>").startswith("550")
    wire.close()


@pytest.mark.req("CHN-5")
def test_a_near_miss_is_delivered_and_told_once(special: Start) -> None:
    served = special()
    patient, sent = served.handout.patients.active, unique("near")
    octets = letter(MEDECIN, patient, message_id=sent, subject="Re: [FIN]")
    assert submit(served, "PER", patient, octets).startswith("250")
    (notice,) = messages(served, "PER")
    assert notice["Auto-Submitted"] == "auto-replied"
    assert notice["Return-Path"] == "<>"
    assert notice["In-Reply-To"] == sent
    text = notice.get_content().replace("\r\n", "\n")
    assert "n'a PAS mis fin" in text
    assert "\n[FIN]\n" in text
    assert channel(served, MEDECIN) is ChannelState.OPEN
    assert len(messages(served, "PAT")) == 1


@pytest.mark.req("CHN-10", "CHN-3")
def test_the_patient_sees_that_an_exchange_is_closed_and_open_again(special: Start) -> None:
    """Every message of the exchange carries the keyword, one service message says who; writing again clears it."""
    served = special()
    patient = served.handout.patients.active
    author = f'"Docteur Exemple" <{MEDECIN}>'
    first = letter(MEDECIN, patient).replace(f"From: <{MEDECIN}>".encode(), f"From: {author}".encode())
    assert submit(served, "PER", patient, first).startswith("250")
    fin = letter(MEDECIN, patient, subject="[FIN]").replace(
        f"From: <{MEDECIN}>".encode(), f"From: {author}".encode()
    )
    assert submit(served, "PER", patient, fin).startswith("250")
    found = messages(served, "PAT")
    assert len(found) == 3
    assert all("$MSSClosed" in one["X-Flags"] for one in found)
    assert found[2].get_content().strip() == "Docteur Exemple a mis fin à vos échanges."
    assert submit(served, "PER", patient, fin).startswith("250")
    assert (
        len(messages(served, "PAT")) == 4
    )  # closed already: the message is delivered, nothing is said twice
    assert submit(served, "PER", patient, letter(MEDECIN, patient)).startswith("250")
    assert not any("$MSSClosed" in one["X-Flags"] for one in messages(served, "PAT"))


@pytest.mark.req("CHN-8")
def test_the_first_answer_closes_by_itself_once(special: Start) -> None:
    """A [FIN] on behalf of the BAL, the service message, and the next answer refused."""
    served = special()
    choose(served, MEDECIN, auto_close="answer")
    patient, sent = served.handout.patients.active, unique("auto")
    assert submit(served, "PER", patient, letter(MEDECIN, patient)).startswith("250")
    assert submit(served, "PAT", MEDECIN, letter(patient, MEDECIN, message_id=sent)).startswith("250")
    assert channel(served, MEDECIN) is ChannelState.CLOSED
    subjects = [str(one["Subject"]) for one in messages(served, "PAT")]
    assert subjects == ["Essai", "[FIN]", "Fin des échanges"]
    filed = messages(served, "PER", EXCHANGES)
    assert [str(one["Subject"]) for one in filed] == ["Essai", "Essai", "[FIN]"]
    assert filed[2]["In-Reply-To"] == sent
    assert submit(served, "PAT", MEDECIN, letter(patient, MEDECIN)).startswith("550 5.7.1")
    assert len(messages(served, "PAT")) == 3


@pytest.mark.req("CHN-8")
def test_silence_closes_after_the_days_that_the_mailbox_allows(special: Start) -> None:
    """Only exchanges without traffic for that long; once; a message in that moment wins."""
    served = special()
    choose(served, MEDECIN, auto_close="days=30")
    patient = served.handout.patients.active
    assert submit(served, "PER", patient, letter(MEDECIN, patient)).startswith("250")
    assert submit(served, "ORG", patient, letter(ORG, patient), ORG).startswith("250")
    closer = served.parts.closer
    assert served.call(closer.close_silent(time.time() + 29 * 86400)) == 0
    assert served.call(closer.close_silent(time.time() + 31 * 86400)) == 1
    assert served.call(closer.close_silent(time.time() + 31 * 86400)) == 0
    assert channel(served, MEDECIN) is ChannelState.CLOSED
    assert channel(served, ORG) is ChannelState.OPEN
    assert [str(one["Subject"]) for one in messages(served, "PAT")][2:] == ["[FIN]", "Fin des échanges"]


@pytest.mark.req("RCP-1")
def test_success_is_reported_when_it_is_asked_for(special: Start) -> None:
    served = special()
    wire = served.submission(served.account("PER"))
    wire.command(f"MAIL FROM:<{MEDECIN}> RET=HDRS ENVID=QQ314159")
    wire.command(f"RCPT TO:<{ORG}> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;{ORG}")
    sent = unique("dsn")
    assert wire.data(letter(MEDECIN, ORG, message_id=sent)).startswith("250")
    wire.close()
    (report,) = messages(served, "PER")
    assert report["In-Reply-To"] == sent
    whole = report.as_string()
    for field in (
        "Original-Envelope-Id: QQ314159",
        "Action: delivered",
        f"Original-Recipient: rfc822; {ORG}",
    ):
        assert field in whole
    assert "Bonjour." not in whole


@pytest.mark.req("RCP-1", "PAT-2")
def test_never_means_never(special: Start) -> None:
    served = special()
    closed = served.handout.patients.closed
    wire = served.submission(served.account("PER"))
    wire.command(f"MAIL FROM:<{MEDECIN}>")
    wire.command(f"RCPT TO:<{closed}> NOTIFY=NEVER")
    assert wire.data(letter(MEDECIN, closed)).startswith("250")
    wire.close()
    assert messages(served, "PER") == []
