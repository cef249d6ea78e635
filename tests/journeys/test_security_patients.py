"""Nobody ends, opens or uses an exchange that is not theirs; reports and receipts are no way around (CHN, RCP)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator

import pytest

from mss_gateway.dev.handout import Account
from tests.support import xdm
from tests.support.attacks import (
    OTHER,
    OTHER_PASSWORD,
    holding,
    note,
    operate,
    outgoing,
    report_of,
    said,
    second_patient,
    state_of,
)
from tests.support.doors import Served, gateway_in_thread

FRIEND = "adresse.aidante@courriel.example"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway with a second patient and a carer of the first; at its end no fault of ours may have been counted."""
    with gateway_in_thread(tmp_path_factory.mktemp("patients")) as gateway:
        operate(gateway, "patient.add", ins=OTHER, password=OTHER_PASSWORD)
        ins = gateway.account("PAT").address
        operate(gateway, "patient.carer", ins=ins, login=FRIEND, password=OTHER_PASSWORD)
        yield gateway
        assert gateway.faults() == 0


@pytest.fixture
def patient(served: Served) -> Account:
    """The patient of the sample."""
    return served.account("PAT")


@pytest.fixture
def doctor(served: Served) -> Account:
    """The professional of the sample."""
    return served.account("PER")


def sent(served: Served, sender: Account, recipient: str, message: bytes) -> str:
    """One message over submission; the last reply."""
    wire = served.submission(sender)
    reply = said(wire, sender.address, recipient, message)
    wire.close()
    return reply


def opened(served: Served, doctor: Account, patient: Account) -> None:
    """The professional writes, so that the patient may answer."""
    assert sent(served, doctor, patient.address, note(doctor.address)).startswith("250")
    assert state_of(served, patient.address, doctor.address) == "open"


# --- end marks

FIN = {
    "plain": ("Subject: [FIN]", "closed"),
    "no blank": ("Subject:[FIN]", "closed"),
    "other case of the name": ("sUBJECT: [FIN]", "closed"),
    "blank before the colon": ("Subject : [FIN]", "closed"),
    "fold before it": ("Subject:\r\n [FIN]", "closed"),
    "encoded": ("Subject: =?utf-8?q?=5BFIN=5D?=", "closed"),
    "encoded in pieces": ("Subject: =?utf-8?q?=5BF?=\r\n =?iso-8859-1?b?SU5d?=", "closed"),
    "fold within": ("Subject: [FI\r\n N]", "open"),
    "NUL encoded": ("Subject: =?utf-8?q?=5BFIN=5D=00?=", "open"),
    "zero width": ("Subject: =?utf-8?q?=5BFIN=5D=E2=80=8B?=", "open"),
    "full width": ("Subject: [\uff26\uff29\uff2e]", "open"),
    "Cyrillic": ("Subject: [FI\u039d]", "open"),
    "comment": ("Subject: [FIN] (suite)", "open"),
    "answer": ("Subject: Re: [FIN]", "open"),
    "quoted": ('Subject: "[FIN]"', "open"),
    "unknown charset": ("Subject: =?x-rien?q?=5BFIN=5D?=", "open"),
    "another field": ("X-Subject: [FIN]", "open"),
    "a fold of another field": ("X-Note: a\r\n\tSubject: [FIN]", "open"),
    "thread topic": ("Thread-Topic: [FIN]", "open"),
}
"""Header lines and what they do to an open channel."""


@pytest.mark.req("CHN-3")
@pytest.mark.parametrize("name", FIN)
def test_only_the_exact_subject_ends_an_exchange(
    served: Served, doctor: Account, patient: Account, name: str
) -> None:
    """However the header is folded or encoded, the five characters count and nothing else."""
    opened(served, doctor, patient)
    line, state = FIN[name]
    reply = sent(served, doctor, patient.address, note(doctor.address, line, subject=""))
    if not line.isascii():
        assert reply.startswith(("250", "550", "554")), reply
    else:
        assert reply.startswith("250"), reply
    assert state_of(served, patient.address, doctor.address) == state


MARKS = {
    "plain": ("X-MSS-MES: FIN", "closed"),
    "no blank": ("X-MSS-MES:FIN", "closed"),
    "blanks around": ("x-mss-mes:   FIN  ", "closed"),
    "folded": ("X-MSS-MES:\r\n FIN", "closed"),
    "other value": ("X-MSS-MES: FINI", "open"),
    "two values": ("X-MSS-MES: FIN, FIN", "open"),
    "encoded": ("X-MSS-MES: =?utf-8?q?FIN?=", "open"),
    "empty": ("X-MSS-MES:", "open"),
    "underscores": ("X_MSS_MES: FIN", "open"),
}


@pytest.mark.req("CHN-4")
@pytest.mark.parametrize("name", MARKS)
def test_only_the_exact_mark_ends_an_exchange(
    served: Served, doctor: Account, patient: Account, name: str
) -> None:
    """Case of the name and blanks are nothing, the value is everything."""
    opened(served, doctor, patient)
    line, state = MARKS[name]
    assert sent(served, doctor, patient.address, note(doctor.address, line)).startswith("250")
    assert state_of(served, patient.address, doctor.address) == state


@pytest.mark.req("CHN-3", "CHN-4", "CHN-10")
@pytest.mark.parametrize("line", ["Subject: [FIN]", "X-MSS-MES: FIN", "Reply-To: {own}\r\nX-MSS-MES: FIN"])
def test_a_patient_ends_nothing(served: Served, doctor: Account, patient: Account, line: str) -> None:
    """A patient's own end mark is a message like any other."""
    opened(served, doctor, patient)
    message = note(patient.address, line.format(own=patient.address), subject="")
    assert sent(served, patient, doctor.address, message).startswith("250")
    assert state_of(served, patient.address, doctor.address) == "open"
    assert sent(served, patient, doctor.address, note(patient.address)).startswith("250")


@pytest.mark.req("CHN-6", "CHN-10")
@pytest.mark.parametrize("store", ["+FLAGS ($MSSClosed)", "-FLAGS ($MSSClosed)", "FLAGS ()"])
def test_the_keyword_is_no_switch(served: Served, doctor: Account, patient: Account, store: str) -> None:
    """Whatever the patient does to `$MSSClosed`, the channel stays as the professional left it."""
    for subject, state, code in (("Bonjour", "open", "250"), ("[FIN]", "closed", "550 5.7.1")):
        assert sent(served, doctor, patient.address, note(doctor.address, subject=subject)).startswith("250")
        wire = served.imap(patient, select="INBOX")
        wire.ok(f"STORE 1:* {store}")
        wire.close()
        assert state_of(served, patient.address, doctor.address) == state
        assert sent(served, patient, doctor.address, note(patient.address)).startswith(code)


@pytest.mark.req("CHN-10")
def test_the_end_of_one_exchange_marks_nobody_elses(
    served: Served, doctor: Account, patient: Account
) -> None:
    """One message to two patients is one body: the end with one of them shows in that mailbox alone."""
    other = second_patient(served)
    wire = served.submission(doctor)
    message = note(doctor.address, "Message-ID: <deux-patients@x.example>", text="pour-deux")
    assert said(wire, doctor.address, [patient.address, other.address], message).startswith("250")
    assert said(wire, doctor.address, patient.address, note(doctor.address, subject="[FIN]")).startswith(
        "250"
    )
    wire.close()
    (mine,) = holding(served, patient, "pour-deux")
    (theirs,) = holding(served, other, "pour-deux")
    assert b"$MSSClosed" in mine[0]
    assert b"$MSSClosed" not in theirs[0]
    assert sent(served, other, doctor.address, note(other.address)).startswith("250")


@pytest.mark.req("CHN-1", "CHN-6", "IMP-2")
def test_a_thread_leads_nowhere(served: Served, doctor: Account, patient: Account) -> None:
    """References to another's conversation change neither who gets a message nor whose exchange it is."""
    other = second_patient(served)
    secretary = served.account("ORG")
    wire = served.submission(doctor)
    first = note(doctor.address, "Message-ID: <fil-prive@x.example>", text="fil-prive")
    assert said(wire, doctor.address, patient.address, first).startswith("250")
    assert said(wire, doctor.address, other.address, note(doctor.address)).startswith("250")
    wire.close()
    thread = (
        "In-Reply-To: <fil-prive@x.example>",
        "References: <fil-prive@x.example>",
        "Message-ID: <fil-prive@x.example>",
    )
    assert sent(served, other, doctor.address, note(other.address, *thread, text="intrus")).startswith("250")
    for account, folder in ((patient, "INBOX"), (secretary, "Echanges patient"), (secretary, "INBOX")):
        assert holding(served, account, "intrus", folder) == []
    assert len(holding(served, doctor, "intrus", "Echanges patient")) == 1
    assert len(holding(served, doctor, "fil-prive", "Echanges patient")) == 2
    assert sent(served, other, secretary.address, note(other.address, *thread)).startswith("550 5.7.1")


# --- shapes of reports


@pytest.mark.req("CHN-6", "CHN-7", "TRU-7")
@pytest.mark.parametrize("kind", ["disposition-notification", "delivery-status"])
def test_the_shape_of_a_report_is_no_way_around_the_channel(
    served: Served, doctor: Account, patient: Account, kind: str
) -> None:
    """Refused on a closed channel, to a stranger, to a patient, and under the null sender."""
    opened(served, doctor, patient)
    assert sent(served, doctor, patient.address, note(doctor.address, subject="[FIN]")).startswith("250")
    message = report_of(patient.address, "contournement", kind=kind)
    automatic = note(patient.address, "Auto-Submitted: auto-replied")
    targets = (doctor.address, served.account("CAB").address, second_patient(served).address)
    wire = served.submission(patient)
    for octets in (message, automatic):
        for target in targets:
            assert said(wire, patient.address, target, octets).startswith("550 5.7.1")
            assert said(wire, "", target, octets).startswith("550 5.7.1")
    wire.close()


@pytest.mark.req("CHN-8")
def test_an_answer_in_the_shape_of_a_report_is_an_answer(served: Served, patient: Account) -> None:
    """Where one answer ends the exchange, a patient does not get a second one by calling the first a report."""
    cabinet = served.account("CAB")
    operate(served, "bal.set", address=cabinet.address, auto_close="answer")
    assert sent(served, cabinet, patient.address, note(cabinet.address)).startswith("250")
    message = report_of(patient.address, "reponse")
    assert sent(served, patient, cabinet.address, message).startswith("250")
    assert state_of(served, patient.address, cabinet.address) == "closed"
    assert sent(served, patient, cabinet.address, message).startswith("550 5.7.1")
    operate(served, "bal.set", address=cabinet.address, auto_close="never")


def smuggled(sender: str, kind: str, *, program: bool = False) -> bytes:
    """A report with a file behind it: an archive about somebody else, or a program."""
    name, media, octets = "IHE_XDM.zip", "application/zip", xdm.built().archive
    if program:
        name, media, octets = "note.exe", "application/x-msdownload", b"MZ"
    part = (
        f'Content-Type: {media}; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n'
        f'Content-Disposition: attachment; filename="{name}"\r\n\r\n'
    ).encode() + b64encode(octets)
    return report_of(sender, "avec une archive", part, kind=kind)


@pytest.mark.req("INS-6", "PAT-5", "RCP-5")
@pytest.mark.parametrize("kind", ["disposition-notification", "delivery-status"])
@pytest.mark.parametrize("null", [False, True])
@pytest.mark.parametrize("program", [False, True])
def test_no_report_carries_another_patients_documents(
    served: Served, doctor: Account, patient: Account, kind: str, null: bool, program: bool
) -> None:
    """What a patient may not receive is not received as the part of a report either."""
    message = smuggled(doctor.address, kind, program=program)
    wire = served.submission(doctor)
    reply = said(wire, "" if null else doctor.address, patient.address, message)
    assert reply.startswith(("550 5.7.1", "550 5.6.1")), reply
    wire.close()
    sender = f"confrere@{served.handout.operator.domain}"
    operator = served.operator()
    message = smuggled(sender, kind, program=program)
    reply = said(operator, "" if null else sender, patient.address, message)
    assert reply.startswith(("550 5.7.1", "550 5.6.1")), reply
    honest = report_of(sender, "sans archive", kind=kind)
    assert said(operator, "" if null else sender, patient.address, honest).startswith("250")
    operator.close()


# --- carers


@pytest.mark.req("PAT-6", "CHN-6", "CHN-7", "PAT-4")
def test_a_carer_reads_and_answers_and_no_more(served: Served, doctor: Account, patient: Account) -> None:
    """As the patient, to whom the patient may answer; not as anybody else, and not without a name."""
    opened(served, doctor, patient)
    carer = Account(patient.address, FRIEND, OTHER_PASSWORD, "PAT")
    wire = served.submission(carer)
    assert said(wire, patient.address, doctor.address, note(patient.address)).startswith("250")
    other = second_patient(served).address
    for sender, target, message in (
        (FRIEND, doctor.address, note(FRIEND)),
        (other, doctor.address, note(other)),
        (doctor.address, patient.address, note(doctor.address)),
        ("", doctor.address, report_of(patient.address, "lu")),
        ("", other, report_of(patient.address, "lu")),
        (patient.address, other, note(patient.address)),
        (patient.address, served.account("CAB").address, note(patient.address)),
        (patient.address, doctor.address, note(FRIEND)),
        (patient.address, doctor.address, note(patient.address, f"Sender: {FRIEND}")),
        (patient.address, doctor.address, note(patient.address, f"Reply-To: {FRIEND}")),
    ):
        reply = said(wire, sender, target, message)
        assert reply.startswith(("550 5.7.1", "553")), (sender, target, message, reply)
    wire.close()
    assert sent(served, doctor, patient.address, note(doctor.address, subject="[FIN]")).startswith("250")
    assert sent(served, carer, doctor.address, note(patient.address)).startswith("550 5.7.1")


@pytest.mark.req("PAT-6", "TRU-7")
def test_a_login_is_a_patients_side_or_a_professionals(served: Served) -> None:
    """A carer does not become a member: who writes must be known by the login alone."""
    from mss_gateway.ops.operation import OperationRefused

    for kind in ("ORG", "CAB"):
        with pytest.raises(OperationRefused):
            operate(served, "bal.member", address=served.account(kind).address, login=FRIEND)
    with pytest.raises(OperationRefused):
        operate(
            served, "patient.carer", ins=second_patient(served).address, login=served.account("PER").login
        )


# --- receipts, bounces, notices


@pytest.mark.req("RCP-2", "RCP-3")
@pytest.mark.parametrize(
    "fields",
    [
        ("Disposition-Notification-To: {third}",),
        ("Disposition-Notification-To: {own}, {third}",),
        ("Disposition-Notification-To: g: {third};",),
        ("Disposition-Notification-To: {own}", "Disposition-Notification-To: {third}"),
        ("Disposition-Notification-To: {third}", "Disposition-Notification-To: {own}"),
        ('Disposition-Notification-To: "{own}" <{third}>',),
        ("Disposition-Notification-To: {own} <{third}>",),
        ("Disposition-Notification-To: {third} ({own})",),
        ("Return-Receipt-To: {third}", "X-Confirm-Reading-To: {third}"),
        ("Disposition-Notification-To: {own}\r\n ,{third}",),
    ],
)
def test_a_receipt_tells_nobody_else(
    served: Served, doctor: Account, patient: Account, fields: tuple[str, ...]
) -> None:
    """Opened by the patient, the message tells at most its sender."""
    third = served.account("CAB")
    sender = f"confrere@{served.handout.operator.domain}"
    waiting = len(outgoing(served))
    before = len(holding(served, third, "disposition-notification"))
    operator = served.operator()
    lines = [field.format(own=sender, third=third.address) for field in fields]
    assert said(operator, sender, patient.address, note(sender, *lines)).startswith("250")
    operator.close()
    reader = served.imap(patient, select="INBOX")
    reader.ok("FETCH * (BODY[])")
    reader.close()
    served.call(settled(served))
    assert len(holding(served, third, "disposition-notification")) == before
    assert {recipient for _, recipient, _ in outgoing(served)[waiting:]} <= {sender}


async def settled(served: Served) -> None:
    """Until no opened receipt waits any more."""
    import asyncio

    for _ in range(6000):
        if not await served.parts.store.opened(1):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("a receipt is never written")


@pytest.mark.req("RCP-1", "RCP-6", "PAT-2")
def test_a_bounce_takes_nothing_along(served: Served, patient: Account) -> None:
    """Wishes of the sender do not lead a report elsewhere, nor the text out of here, nor to anybody."""
    closed, other = served.handout.patients.closed, second_patient(served)
    sender = f"confrere@{served.handout.operator.domain}"
    waiting = len(outgoing(served))
    wire = served.operator()
    message = note(sender, f"Disposition-Notification-To: {other.address}", text="contenu-prive")
    said(
        wire,
        sender,
        f"<{closed}> ORCPT=rfc822;{other.address} NOTIFY=FAILURE",
        message,
        "RET=FULL ENVID=a+2Bb",
    )
    said(wire, sender, f"<{closed}> NOTIFY=NEVER", message)
    wire.close()
    found = outgoing(served)[waiting:]
    assert [(path, recipient) for path, recipient, _ in found] == [("", sender)]
    assert holding(served, other, "contenu-prive") == []
    assert holding(served, patient, "contenu-prive") == []
    (database,) = served.settings.store.path.glob("*.db")
    assert (
        b"contenu-prive"
        not in database.read_bytes() + database.with_name(database.name + "-wal").read_bytes()
    )


@pytest.mark.req("RCP-6", "RTE-6", "PAT-2")
@pytest.mark.parametrize("shape", ["delivery-status", "disposition-notification", "auto-replied"])
def test_reports_to_closed_mailboxes_end_here(served: Served, doctor: Account, shape: str) -> None:
    """Neither a null sender nor a report under a name brings mail back: two closed mailboxes do not play tennis."""
    closed = served.handout.patients.closed
    sender = f"confrere@{served.handout.operator.domain}"
    waiting = len(outgoing(served))
    before = len(holding(served, doctor, "n'a pas pu"))
    if shape == "auto-replied":
        messages = {name: note(name, "Auto-Submitted: auto-replied") for name in (sender, doctor.address)}
    else:
        messages = {name: report_of(name, "x", kind=shape) for name in (sender, doctor.address)}
    wire = served.operator()
    for path in ("", sender):
        assert said(wire, path, closed, messages[sender]).startswith("250")
    wire.close()
    assert sent(served, doctor, closed, messages[doctor.address]).startswith("250")
    assert len(outgoing(served)) == waiting
    assert len(holding(served, doctor, "n'a pas pu")) == before


@pytest.mark.req("CHN-5", "RCP-6")
def test_one_near_miss_is_one_notice(served: Served, doctor: Account, patient: Account) -> None:
    """However many patients it went to; and a notice that is sent on is no message that brings notices."""
    recipients = [patient.address, second_patient(served).address, served.handout.patients.not_activated]
    before = len(holding(served, doctor, "n'est pas clos")), len(holding(served, doctor, "Auto-Submitted"))
    wire = served.submission(doctor)
    assert said(wire, doctor.address, recipients, note(doctor.address, subject="Re: [FIN]")).startswith("250")
    message = note(doctor.address, "Auto-Submitted: auto-replied", subject="[fin]")
    assert said(wire, doctor.address, recipients, message).startswith("250")
    wire.close()
    assert len(holding(served, doctor, "Auto-Submitted: auto-replied")) - before[1] == 1


@pytest.mark.req("CHN-1", "CHN-8")
def test_answers_to_a_crowd_are_no_amplifier(served: Served, patient: Account) -> None:
    """A Reply-To of hundreds of addresses would be as many channels, and as many service messages to the patient."""
    cabinet = served.account("CAB")
    domain = served.handout.operator.domain
    crowd = ",\r\n ".join(f"a{number}@{domain}" for number in range(500))
    reply = sent(served, cabinet, patient.address, note(cabinet.address, f"Reply-To: {crowd}"))
    assert reply.startswith("550 5.7.1"), reply
    sender = f"confrere@{domain}"
    wire = served.operator()
    assert said(wire, sender, patient.address, note(sender, f"Reply-To: {crowd}")).startswith("550 5.7.1")
    few = ", ".join(f"a{number}@{domain}" for number in range(10))
    assert said(wire, sender, patient.address, note(sender, f"Reply-To: {few}")).startswith("250")
    wire.close()


@pytest.mark.req("PAT-2", "RCP-1")
def test_many_bounces_are_no_amplifier(served: Served) -> None:
    """A large header to many absent patients comes back in parts that together are hardly more than the message."""
    cabinet = served.account("CAB")
    absent = [f"1850377{number:06}" for number in range(40)]
    domain = second_patient(served).address.partition("@")[2]
    recipients = [f"{one}{97 - int(one) % 97:02}@{domain}" for one in absent]
    large = note(cabinet.address, *(f"X-Note: {'x' * 900}" for _ in range(200)), subject="grand-en-tete")
    wire = served.submission(cabinet)
    assert said(wire, cabinet.address, recipients, large).startswith("250")
    wire.close()
    bounces = [octets for _, octets in holding(served, cabinet, "Final-Recipient: rfc822; 1850377")]
    assert len(bounces) == len(recipients)
    assert sum(map(len, bounces)) < 3 * len(large)
    assert all(f"Final-Recipient: rfc822; {one}".encode() in b"".join(bounces) for one in recipients)
