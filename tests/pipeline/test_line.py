"""The straight line from a door to the mailbox: what is stored, added, bounced, opened and closed."""

from __future__ import annotations

import email
import re
from collections.abc import Callable
from email import policy
from email.message import EmailMessage

import pytest

from mss_gateway.ports.queue import EVERYTHING
from mss_gateway.ports.records import Queued
from mss_gateway.rules.facts import BoxState, ChannelState
from tests.support.doors import Served
from tests.support.letters import HOSTED, MEDECIN, ORG, SENDER, letter, unique
from tests.support.wires import literal

Start = Callable[..., Served]


def fetched(served: Served, kind: str, message_id: str, field: str = "Message-ID") -> list[bytes]:
    """Every stored message of that account's INBOX with this id, octets as IMAP gives them."""
    imap = served.imap(served.account(kind), select="INBOX")
    answers = imap.ok(f'UID SEARCH HEADER {field} "{message_id}"')
    (line,) = [line for line in answers if line.startswith(b"* SEARCH")]  # mail may come meanwhile
    uids = [uid.decode() for uid in line.split()[2:]]
    octets = [literal(imap.ok(f"UID FETCH {uid} (BODY.PEEK[])")[0]) for uid in uids]
    imap.close()
    return octets


def submit(served: Served, kind: str, recipient: str, octets: bytes, sender: str = "") -> str:
    """Submit with that account; the last reply of the transaction."""
    account = served.account(kind)
    wire = served.submission(account)
    wire.command(f"MAIL FROM:<{sender or account.address}>")
    refused = wire.command(f"RCPT TO:<{recipient}>")
    reply = wire.data(octets) if refused.startswith("250") else refused
    wire.close()
    return reply


def outbox(served: Served) -> list[Queued]:
    """The rows that wait for relay."""
    rows: list[Queued] = served.call(served.parts.store.queued(EVERYTHING))
    return rows


def channel(served: Served, bal: str) -> ChannelState:
    """The state of the active patient's channel with a BAL."""
    patient = served.handout.patients.active.lower()
    state: ChannelState = served.call(served.parts.store.channel(patient, bal)).state
    return state


@pytest.mark.req("RTE-7")
@pytest.mark.parametrize("size", [10, 40_000, 2_000_000], ids=["inline", "segment", "adopted"])
def test_stored_bytes_are_received_bytes_behind_trace_headers(door: Served, size: int) -> None:
    """Byte exact in each kind of storage, odd octets included; only trace headers stand in front."""
    message_id = unique("exact")
    text = b"\t\x7f\xe9\xff..dot\r\n.leading\r\n \r\n" + b"z" * 76 + b"\r\n"
    octets = letter(
        message_id=message_id, more="X-Odd:\t  spaces \t\r\nx-ODD: second\r\n", text=text * (1 + size // 100)
    )
    wire = door.operator()
    assert wire.deliver(SENDER, MEDECIN, octets).startswith("250")
    wire.close()
    (stored,) = fetched(door, "PER", message_id)
    assert stored.endswith(octets)
    added = stored[: -len(octets)].decode()
    names = [line.split(":")[0] for line in added.split("\r\n") if line and line[0] not in " \t"]
    assert names == ["Return-Path", "Received", "Authentication-Results"]
    assert f"Return-Path: <{SENDER}>\r\n" in added
    received = " ".join(added.split())
    assert re.search(
        r"using TLSv1\.[23] with cipher \w+\) \(authenticated by mtls\) by \S+ with ESMTPS", received
    )
    assert door.spooled == []


@pytest.mark.req("BAL-8", "CHN-4")
def test_an_app_message_gets_the_end_header_in_front_and_closes(special: Start) -> None:
    """X-MSS-MES: FIN before the received bytes; the patient cannot answer."""
    served = special()
    message_id = unique("app")
    app = served.handout.app.address
    patient = served.handout.patients.active
    octets = letter(app, patient, message_id=message_id)
    wire = served.submission(credential=served.handout.app)
    assert wire.command("AUTH EXTERNAL =").startswith("235")
    assert wire.deliver(app, patient, octets).startswith("250")
    wire.close()
    (stored,) = fetched(served, "PAT", message_id)
    assert stored.endswith(octets)
    assert "\r\nX-MSS-MES: FIN\r\n" in stored[: -len(octets)].decode()
    assert channel(served, app) is ChannelState.CLOSED
    reply = submit(served, "PAT", app, letter(patient, app, message_id=unique()))
    assert reply.startswith("550 5.7.1")


@pytest.mark.req("CHN-2", "CHN-3", "CHN-6")
def test_a_professional_opens_closes_and_reopens(special: Start) -> None:
    """Open, answer, [FIN], refused, open again."""
    served = special()
    patient = served.handout.patients.active
    answer = letter(patient, MEDECIN)
    assert submit(served, "PAT", MEDECIN, answer).startswith("550 5.7.1")
    assert channel(served, MEDECIN) is ChannelState.NEVER
    for subject, state in (
        ("Bonjour", ChannelState.OPEN),
        ("Re: [FIN]", ChannelState.OPEN),
        ("[FIN]", ChannelState.CLOSED),
        ("Encore", ChannelState.OPEN),
    ):
        assert submit(served, "PER", patient, letter(MEDECIN, patient, subject=subject)).startswith("250")
        assert channel(served, MEDECIN) is state
        reply = submit(served, "PAT", MEDECIN, letter(patient, MEDECIN))
        assert reply.startswith("250" if state is ChannelState.OPEN else "550 5.7.1"), reply


@pytest.mark.req("PAT-2", "RCP-6")
def test_a_closed_patient_bounces_to_a_hosted_sender(special: Start) -> None:
    """The exact French sentence as a report with a null return path, in the sender's own mailbox."""
    served = special()
    message_id = unique("closed")
    closed = served.handout.patients.closed
    assert submit(served, "PER", closed, letter(MEDECIN, closed, message_id=message_id)).startswith("250")
    (octets,) = fetched(served, "PER", message_id, "In-Reply-To")
    assert octets.startswith(b"Return-Path: <>\r\n")
    report = email.message_from_bytes(octets, policy=policy.default)
    assert isinstance(report, EmailMessage)
    assert report["Auto-Submitted"] == "auto-replied"
    assert report["References"] == message_id
    assert report.get_content_type() == "multipart/report"
    human = next(part for part in report.walk() if part.get_content_type() == "text/plain").get_content()
    sentence = (
        f'Le message que vous avez envoyé à "{closed}" n\'a pas pu être distribué car la messagerie Mon '
        "espace Santé de votre destinataire est clôturée"
    )
    assert sentence in human
    assert outbox(served) == []


@pytest.mark.req("PAT-2", "RCP-6")
def test_a_closed_patient_bounces_to_a_foreign_sender_through_the_queue(special: Start) -> None:
    """One outbox row, null sender, to the foreign address; nothing for null or automatic mail."""
    served = special()
    closed = served.handout.patients.closed
    wire = served.operator()
    assert wire.deliver(SENDER, closed, letter(SENDER, closed)).startswith("250")
    (row,) = outbox(served)
    assert (row.sender, row.recipient) == ("", SENDER)
    automatic = letter(SENDER, closed, more="Auto-Submitted: auto-replied\r\n")
    assert wire.deliver(SENDER, closed, automatic).startswith("250")
    report = letter(
        SENDER,
        closed,
        more='MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n'
        "Auto-Submitted: auto-replied\r\n",
        text=b"--b\r\n\r\ntext\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        b"Reporting-MTA: dns; x\r\n\r\n--b--\r\n",
    )
    wire.envelope("", closed)
    assert wire.data(report)[0] in "25"
    wire.close()
    assert len(outbox(served)) == 1


@pytest.mark.req("RTE-3")
def test_mail_to_another_trusted_operator_waits_in_the_queue(special: Start) -> None:
    """One row with the sender, the stored body, and nothing in any mailbox."""
    served = special()
    assert submit(served, "PER", SENDER, letter(MEDECIN, SENDER)).startswith("250")
    (row,) = outbox(served)
    assert (row.sender, row.recipient) == (MEDECIN, SENDER)
    assert row.state in ("waiting", "leased")  # nobody answers there: it is tried and waits again


@pytest.mark.req("RTE-4", "RTE-5", "BAL-5")
def test_a_recipient_that_closes_between_rcpt_and_the_end_of_data(special: Start) -> None:
    """The answer after DATA is one for all: refused, and nobody has the message."""
    served = special()
    message_id = unique("race")
    wire = served.operator()
    wire.envelope(SENDER, MEDECIN, ORG)
    wire.command("DATA")

    async def close() -> None:
        box = await served.parts.store.box(ORG)
        await served.parts.operations["bal.close"](
            {"actor": "test", "address": box.address, "reason": "essai"}
        )

    served.call(close())
    wire.send(letter(message_id=message_id) + b".\r\n")
    assert wire.reply().startswith("550 5.2.1")
    wire.close()
    assert fetched(served, "PER", message_id) == []
    assert served.call(served.parts.store.box(ORG)).state is BoxState.CLOSED


@pytest.mark.req("RTE-4")
def test_both_wishes_of_a_duplicate_recipient_make_one_outbox_row(special: Start) -> None:
    """The first RCPT's NOTIFY holds."""
    served = special()
    wire = served.submission(served.account("PER"))
    assert wire.command(f"MAIL FROM:<{MEDECIN}>").startswith("250")
    assert wire.command(f"RCPT TO:<{SENDER}> NOTIFY=NEVER").startswith("250")
    assert wire.command(f"RCPT TO:<{SENDER.upper()}> NOTIFY=SUCCESS").startswith("250")
    assert wire.data(letter(MEDECIN, SENDER)).startswith("250")
    wire.close()
    assert len(outbox(served)) == 1


@pytest.mark.req("RTE-6")
def test_a_loop_is_refused(door: Served) -> None:
    """More than 30 Received lines."""
    wire = door.operator()
    lines = "Received: from a by b; Fri, 20 Nov 2026 10:00:00 +0100\r\n" * 31
    assert wire.deliver(SENDER, MEDECIN, letter(more=lines)).startswith("554 5.4.6")
    wire.close()


def test_a_header_larger_than_its_limit_is_refused(door: Served) -> None:
    """552, and the spool is clean."""
    wire = door.operator()
    more = ("X-Fill: " + "f" * 900 + "\r\n") * 400
    assert wire.deliver(SENDER, MEDECIN, letter(more=more)).startswith("552 5.3.4")
    more = ("X-Fill: " + "f" * 900 + "\r\n") * 200
    assert wire.deliver(SENDER, MEDECIN, letter(more=more)).startswith("250")
    wire.close()
    assert door.spooled == []


@pytest.mark.req("INS-7")
def test_no_ins_stands_whole_in_traces_or_replies(special: Start) -> None:
    """Logins, refusals and deliveries of a patient leave only the masked form in the trace."""
    served = special()
    patient = served.handout.patients.active
    matricule = patient[:13]
    assert submit(served, "PER", patient, letter(MEDECIN, patient)).startswith("250")
    assert submit(served, "PAT", MEDECIN, letter(patient, MEDECIN)).startswith("250")
    replies = [submit(served, "PAT", ORG, letter(patient, ORG))]
    replies.append(submit(served, "PER", "285037728417399@patient.mssante.fr", letter(MEDECIN, patient)))
    assert all(reply[0] == "5" and matricule not in reply for reply in replies)
    served.call(served.parts.notes.flush())
    lines = served.call(served.parts.store.trace(limit=1000))
    assert lines
    whole = [line for line in lines if matricule in repr(line)]
    assert whole == []


@pytest.mark.req("BAL-6")
def test_nobody_writes_as_somebody_else(door: Served) -> None:
    """MAIL FROM and header From are those of the login."""
    wire = door.submission(door.account("PER"))
    assert wire.command(f"MAIL FROM:<cabinet@{HOSTED}>").startswith("550 5.7.1")
    assert wire.deliver(MEDECIN, ORG, letter(f"cabinet@{HOSTED}", ORG)).startswith("550 5.7.1")
    assert wire.deliver(MEDECIN, ORG, letter(MEDECIN, ORG)).startswith("250")
    wire.close()
