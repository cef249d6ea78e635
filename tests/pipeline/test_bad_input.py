"""What must be refused in an exchange with a patient: reply, reason, French where a person reads it, timeline."""

from __future__ import annotations

import time
from base64 import encodebytes
from collections.abc import Callable

import pytest

from mss_gateway.ports.queue import EVERYTHING
from mss_gateway.ports.records import TraceLine
from tests.pipeline.test_exchange import messages
from tests.support.doors import Served
from tests.support.letters import HOSTED, MEDECIN, ORG, SENDER, letter, unique
from tests.support.xdm import built

WAIT = 60.0  # seconds; the timeline of a refusal is written in the background


def attached(octets: bytes, name: str = "IHE_XDM.zip", kind: str = "application/zip") -> tuple[str, bytes]:
    """Header lines and text of a message with one file."""
    more = 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n'
    coded = encodebytes(octets).replace(b"\n", b"\r\n")
    text = (
        b"--b\r\nContent-Type: text/plain\r\n\r\nBonjour.\r\n"
        + f'--b\r\nContent-Type: {kind}; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n\r\n'.encode()
        + coded
        + b"--b--\r\n"
    )
    return more, text


def submit(served: Served, kind: str, octets: bytes, *recipients: str) -> str:
    """Submit to these recipients; the last reply."""
    account = served.account(kind)
    wire = served.submission(account)
    reply = wire.command(f"MAIL FROM:<{account.address}>")
    for recipient in recipients:
        reply = wire.command(f"RCPT TO:<{recipient}>")
    if reply.startswith("250"):
        reply = wire.data(octets)
    wire.close()
    return reply


def lines(served: Served, look: Callable[[TraceLine], bool]) -> list[TraceLine]:
    """The lines of the timeline that answer to this, once there is one."""
    limit = time.monotonic() + WAIT
    while True:
        found = [line for line in served.call(served.parts.store.trace()) if look(line)]
        if found or time.monotonic() > limit:
            return found
        time.sleep(0.05)


def refused(
    served: Served, reply: str, expected: str, reason: str, french: str, message_id: str = ""
) -> None:
    """The reply with its words, and the line that says why."""
    assert reply.startswith(expected), reply
    assert french in reply
    found = lines(served, lambda line: line.event == "refused" and line.detail.get("reason") == reason)
    assert found
    assert found[-1].detail["rule"]
    assert found[-1].detail["code"] == " ".join(expected.split()[:2])
    if message_id:
        assert found[-1].message_id == message_id
    text = repr(found)
    assert served.handout.patients.active.partition("@")[0] not in text


@pytest.mark.req("CHN-6", "AUD-2")
def test_a_patient_writes_to_whom_it_may_not(door: Served) -> None:
    patient = served_patient(door)
    reply = submit(door, "PAT", letter(patient, ORG), ORG)
    refused(door, reply, "550 5.7.1", "channel-never-opened", "Seul un professionnel de sante")


def served_patient(served: Served) -> str:
    """The patient that is active here."""
    return served.handout.patients.active


@pytest.mark.req("INS-6", "AUD-2")
def test_an_archive_and_two_patients(door: Served) -> None:
    message_id = unique("two")
    more, text = attached(built().archive)
    both = (served_patient(door), door.handout.patients.not_activated)
    reply = submit(door, "PER", letter(MEDECIN, both[0], message_id=message_id, more=more, text=text), *both)
    refused(door, reply, "550 5.7.1", "xdm-several-recipients", "un seul patient", message_id)


@pytest.mark.req("INS-6", "AUD-2")
def test_an_archive_of_somebody_else(door: Served) -> None:
    message_id = unique("other")
    more, text = attached(built().archive)
    other = served_patient(door)
    reply = submit(door, "PER", letter(MEDECIN, other, message_id=message_id, more=more, text=text), other)
    refused(door, reply, "550 5.7.1", "xdm-metadata-mismatch", "METADATA.XML n'est pas celui", message_id)


@pytest.mark.req("INS-6", "AUD-2")
def test_a_corrupted_archive(door: Served) -> None:
    message_id, patient = unique("corrupt"), served_patient(door)
    octets = built().archive
    more, text = attached(octets[: len(octets) // 2])
    reply = submit(
        door, "PER", letter(MEDECIN, patient, message_id=message_id, more=more, text=text), patient
    )
    refused(door, reply, "550 5.7.1", "xdm-truncated", "tronquee", message_id)


@pytest.mark.req("INS-1", "AUD-2")
def test_an_ins_with_a_wrong_key(door: Served) -> None:
    local, _, domain = served_patient(door).partition("@")
    wrong = f"{local[:13]}{(int(local[13:]) % 97) + 1:02}@{domain}"
    refused(door, submit(door, "PER", b"", wrong), "550 5.1.3", "ins-key", "key")


@pytest.mark.req("PAT-5", "AUD-2")
def test_a_kind_of_file_that_no_patient_receives(door: Served) -> None:
    message_id, patient = unique("exe"), served_patient(door)
    more, text = attached(b"MZ", "facture.exe", "application/x-msdownload")
    reply = submit(
        door, "PER", letter(MEDECIN, patient, message_id=message_id, more=more, text=text), patient
    )
    refused(
        door,
        reply,
        "550 5.6.1",
        "patient-attachment",
        "piece jointe de type application/x-msdownload",
        message_id,
    )


@pytest.mark.req("PAT-5", "AUD-2")
def test_a_message_that_is_too_large_for_a_patient(door: Served) -> None:
    message_id, patient = unique("large"), served_patient(door)
    octets = letter(MEDECIN, patient, message_id=message_id, text=(b"x" * 998 + b"\r\n") * 26_500)
    reply = submit(door, "PER", octets, patient)
    refused(door, reply, "552 5.3.4", "patient-size", "au plus 25 Mo", message_id)


@pytest.mark.req("BAL-8", "AUD-2")
def test_an_answering_mailbox_that_is_not_there(door: Served) -> None:
    message_id, patient = unique("nobody"), served_patient(door)
    more = f"Reply-To: <personne.inconnue@{HOSTED}>\r\n"
    reply = submit(door, "PER", letter(MEDECIN, patient, message_id=message_id, more=more), patient)
    refused(door, reply, "550 5.7.1", "reply-to-unfit", "adresse de reponse", message_id)


@pytest.mark.req("RTE-6", "RCP-6", "AUD-2")
def test_a_bounce_of_a_bounce_ends_with_a_line(door: Served) -> None:
    """A report of another operator to a closed patient: taken, answered by nobody, told in the timeline."""
    message_id, closed = unique("bounce"), door.handout.patients.closed
    kind = 'multipart/report; report-type=delivery-status; boundary="b"'
    more = f"MIME-Version: 1.0\r\nContent-Type: {kind}\r\nAuto-Submitted: auto-replied\r\n"
    text = (
        b"--b\r\n\r\nNon remis.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        b"Reporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; x@y\r\nAction: failed\r\nStatus: 5.1.1\r\n--b--\r\n"
    )
    before = len(door.call(door.parts.store.queued(EVERYTHING)))
    wire = door.operator()
    wire.envelope("", closed)
    assert wire.data(letter(SENDER, closed, message_id=message_id, more=more, text=text)).startswith("250")
    wire.close()
    (found,) = lines(door, lambda line: line.event == "discarded" and line.message_id == message_id)
    assert found.detail["reason"] == "report-to-closed-patient"
    assert len(door.call(door.parts.store.queued(EVERYTHING))) == before


@pytest.mark.req("RCP-3", "AUD-2")
def test_a_receipt_for_a_third_party_is_not_owed(door: Served) -> None:
    """The message is delivered; opening it tells nobody, and the timeline says what was asked in vain."""
    message_id, patient = unique("third"), served_patient(door)
    more = f"Disposition-Notification-To: <{ORG}>\r\n"
    octets = letter(MEDECIN, patient, message_id=message_id, more=more)
    assert submit(door, "PER", octets, patient).startswith("250")
    imap = door.imap(door.account("PAT"), select="INBOX")
    imap.ok("STORE 1:* +FLAGS.SILENT (\\Seen)")
    imap.close()
    assert door.call(door.parts.store.opened()) == []
    assert not [
        one for one in messages(door, "PER") + messages(door, "ORG") if one["In-Reply-To"] == message_id
    ]
    found = lines(door, lambda line: line.event == "warned" and line.message_id == message_id)
    assert [line.detail["reason"] for line in found] == ["receipt-third-party"]
