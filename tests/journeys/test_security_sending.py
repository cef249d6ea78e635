"""Nobody writes as somebody else, and nobody gets around the channel: SMTP on a real gateway."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mss_gateway.dev.handout import Account
from tests.support.doors import Served, gateway_in_thread
from tests.support.wires import Smtp

OTHER = "154092A12345664"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway with a second patient; at its end no fault of ours may have been counted."""
    with gateway_in_thread(tmp_path_factory.mktemp("sending")) as gateway:
        add = gateway.parts.operations["patient.add"]
        gateway.call(add({"ins": OTHER, "password": "autre-mot-de-passe"}))
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


@pytest.fixture
def other(patient: Account) -> str:
    """Address of the second patient."""
    return f"{OTHER}@{patient.address.partition('@')[2]}"


def note(sender: str, *fields: str, subject: str = "Bonjour") -> bytes:
    """A short message; `fields` are whole lines put after From."""
    lines = [f"From: {sender}", *fields, f"Subject: {subject}", "Message-ID: <x@y.example>", "", "Texte", ""]
    return "\r\n".join(lines).encode()


def said(wire: Smtp, sender: str, recipient: str, message: bytes) -> str:
    """The first refusal of a transaction, or its last reply."""
    wire.command("RSET")
    for command in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>"):
        reply = wire.command(command)
        if not reply.startswith("250"):
            return reply
    return wire.data(message)


def opened(served: Served, doctor: Account, patient: Account) -> None:
    """The professional writes, so that the patient may answer."""
    wire = served.submission(doctor)
    assert said(wire, doctor.address, patient.address, note(doctor.address)).startswith("250")
    wire.close()


FORGERIES = {
    "other address": ("From: {other}",),
    "two addresses": ("From: {own}, {other}",),
    "two fields": ("From: {own}", "From: {other}"),
    "two fields, blank before the colon": ("From: {own}", "From : {other}"),
    "two fields, other case": ("FROM: {other}", "from: {own}"),
    "address as display name": ("From: {other} <{own}>",),
    "two angle addresses": ("From: A <{other}> <{own}>",),
    "group of two": ("From: Tous: {own}, {other};",),
    "comment between": ("From: {other} (x), {own}",),
    "source route": ("From: <@{other}:{own}>, {other}",),
    "folded": ("From: {own},\r\n {other}",),
    "encoded address": ("From: =?utf-8?q?{encoded}?=",),
    "encoded word beside": ("From: {own}, =?utf-8?q?{encoded}?=",),
    "no From": ("X-From: {own}",),
    "empty From": ("From:",),
    "empty group": ("From: undisclosed:;",),
    "Sender": ("From: {own}", "Sender: {other}"),
    "two Senders": ("From: {own}", "Sender: {own}", "Sender: {other}"),
    "Reply-To": ("From: {own}", "Reply-To: {other}"),
    "Reply-To to both": ("From: {own}", "Reply-To: {own}, {other}"),
    "Reply-To group": ("From: {own}", "Reply-To: g: {other};"),
    "Reply-To twice": ("From: {own}", "Reply-To: {own}", "Reply-To: {own}"),
    "Reply-To folded": ("From: {own}", "Reply-To:\r\n {other}"),
    "Reply-To to the professional": ("From: {own}", "Reply-To: {doctor}"),
}
"""Ways to look like another patient, or to lead the answer away."""


@pytest.mark.req("CHN-7", "PAT-4", "BAL-6")
@pytest.mark.parametrize("name", FORGERIES)
def test_a_patient_cannot_look_like_another(
    served: Served, doctor: Account, patient: Account, other: str, name: str
) -> None:
    """Whatever the header does, the message is refused; the honest one passes."""
    opened(served, doctor, patient)
    words = {
        "own": patient.address,
        "other": other,
        "encoded": other.replace("@", "=40"),
        "doctor": doctor.address,
    }
    lines = [line.format(**words) for line in FORGERIES[name]]
    message = "\r\n".join((*lines, "Subject: Bonjour", "", "Texte", "")).encode()
    wire = served.submission(patient)
    reply = said(wire, patient.address, doctor.address, message)
    assert reply.startswith("550 5."), reply
    assert OTHER not in reply
    assert said(wire, patient.address, doctor.address, note(patient.address)).startswith("250")
    wire.close()


@pytest.mark.req("CHN-7", "BAL-6", "TRU-7")
def test_a_login_has_no_other_envelope_than_its_own(served: Served, patient: Account, other: str) -> None:
    """MAIL FROM: another patient, a professional, the null sender, the patient's name at another domain."""
    local = patient.address.partition("@")[0]
    wire = served.submission(patient)
    for sender in (
        other,
        served.account("PER").address,
        "",
        f"{local}@{served.account('PER').address.partition('@')[2]}",
        f"{local}@patient.mssante.fr.ailleurs.example",
        f'"{other}"@{patient.address.partition("@")[2]}',
        f'"{local} "@{patient.address.partition("@")[2]}',
    ):
        reply = wire.command(f"MAIL FROM:<{sender}>")
        assert reply.startswith(("550 5.7.1", "553")), (sender, reply)
        wire.command("RSET")
    wire.close()


@pytest.mark.req("CHN-6", "CHN-7", "BAL-10")
def test_no_spelling_of_an_address_gets_around_the_channel(
    served: Served, doctor: Account, patient: Account
) -> None:
    """Closed for one spelling is closed for all; open for one is open for all."""
    local, domain = doctor.address.split("@")
    spellings = (
        doctor.address,
        f"{local.upper()}@{domain}",
        f'"{local}"@{domain}',
        f'"\\{local}"@{domain}',
        f"{local}@{domain.upper()}",
    )
    professional = served.submission(doctor)
    mine = f"{patient.address.partition('@')[0]}@{patient.address.partition('@')[2].upper()}"
    for subject, code in (("Bonjour", "250"), ("[FIN]", "550")):
        for to in (patient.address, mine):
            assert said(professional, doctor.address, to, note(doctor.address, subject=subject)).startswith(
                "250"
            )
            wire = served.submission(patient)
            for spelling in spellings:
                reply = said(wire, patient.address, spelling, note(patient.address))
                assert reply.startswith(code), (spelling, reply)
            wire.close()
    professional.close()


@pytest.mark.req("INS-1", "BAL-10")
def test_letters_of_a_corsican_ins_have_no_case(served: Served, doctor: Account, other: str) -> None:
    """Mail to 2a reaches the mailbox of 2A, and the answer from either spelling passes the one channel."""
    wire = served.submission(doctor)
    assert said(wire, doctor.address, other.lower(), note(doctor.address)).startswith("250")
    wire.close()
    for spelling in (other, other.lower()):
        answer = served.submission()
        answer.login(spelling, "autre-mot-de-passe")
        for sender in (other, other.lower()):
            assert said(answer, sender, doctor.address, note(sender)).startswith("250")
        answer.close()
    imap = served.imap(Account(other, other.lower(), "autre-mot-de-passe", "PAT"))
    assert b"* 0 EXISTS" not in imap.ok("SELECT INBOX")
    imap.close()


@pytest.mark.req("CHN-1", "CHN-3", "CHN-4")
@pytest.mark.parametrize(
    "fields",
    [
        ("Subject: [FIN]",),
        ("X-MSS-MES: FIN", "X-MSS-MES: SUITE"),
        ("X-MSS-MES: SUITE", "x-mss-mes : FIN"),
        ("Reply-To: {doctor}", "Reply-To: {doctor}"),
    ],
)
def test_what_a_channel_hangs_on_is_there_once(
    served: Served, doctor: Account, patient: Account, fields: tuple[str, ...]
) -> None:
    """Two Subjects or two marks are refused, from a login and from another operator alike."""
    lines = [field.format(doctor=doctor.address) for field in fields]
    wire = served.submission(doctor)
    reply = said(wire, doctor.address, patient.address, note(doctor.address, *lines))
    assert reply.startswith("550 5.6.0"), reply
    wire.close()
    operator = served.operator()
    sender = f"confrere@{served.handout.operator.domain}"
    reply = said(operator, sender, patient.address, note(sender, *lines))
    assert reply.startswith("550 5.6.0"), reply
    operator.close()


@pytest.mark.req("CHN-4", "BAL-8")
@pytest.mark.parametrize(
    "field",
    [
        "X-Note: a\r\n\tX-MSS-MES: FIN",
        "X-Note: =?utf-8?q?=0D=0AX-MSS-MES:_FIN?=",
        "Reply-To: =?utf-8?q?a=0D=0AX-MSS-MES:_FIN?= <{doctor}>",
    ],
)
def test_a_fold_or_an_encoded_word_makes_no_field(
    served: Served, doctor: Account, patient: Account, field: str
) -> None:
    """What only looks like an end mark does not close the channel."""
    wire = served.submission(doctor)
    message = note(doctor.address, field.format(doctor=doctor.address))
    assert said(wire, doctor.address, patient.address, message).startswith("250")
    wire.close()
    answer = served.submission(patient)
    assert said(answer, patient.address, doctor.address, note(patient.address)).startswith("250")
    answer.close()


@pytest.mark.req("CHN-1", "CHN-2", "CHN-6")
def test_every_bal_of_reply_to_may_be_answered(served: Served, doctor: Account, patient: Account) -> None:
    """The patient's client writes to all of them; an end mark ends it for all of them, and the writer's own stays."""
    bals = [served.account("ORG").address, served.account("CAB").address]
    wire = served.submission(doctor)
    to_all = f"Reply-To: {bals[0]},\r\n Cabinet <{bals[1].upper()}>"
    said(wire, doctor.address, patient.address, note(doctor.address, subject="[FIN]"))
    for subject, code in (("Bonjour", "250"), ("[FIN]", "550")):
        reply = said(wire, doctor.address, patient.address, note(doctor.address, to_all, subject=subject))
        assert reply.startswith("250"), reply
        answer = served.submission(patient)
        for bal in bals:
            assert said(answer, patient.address, bal, note(patient.address)).startswith(code)
        assert said(answer, patient.address, doctor.address, note(patient.address)).startswith("550")
        answer.close()
    wire.close()


@pytest.mark.req("CHN-7", "BAL-6", "BAL-7")
def test_nobody_else_writes_as_a_patient(
    served: Served, doctor: Account, patient: Account, other: str
) -> None:
    """A professional, software and an operator: as MAIL FROM, From, Sender or Reply-To, null sender included."""
    wire = served.submission(doctor)
    for message in (
        note(other),
        note(doctor.address, f"Sender: {other}"),
        note(doctor.address, f"Reply-To: {other}"),
    ):
        assert said(wire, doctor.address, patient.address, message).startswith("550 5.7.1")
    assert said(wire, other, patient.address, note(other)).startswith("550 5.7.1")
    wire.close()
    operator = served.operator()
    sender = f"confrere@{served.handout.operator.domain}"
    for envelope, message in (
        (other, note(other)),
        (sender, note(other)),
        (sender, note(sender, f"Sender: {other}")),
        (sender, note(sender, f"Reply-To: {other}")),
        (sender, note(sender, f"From: {other}")),
        ("", note(other, "Auto-Submitted: auto-replied")),
        ("", note(doctor.address, "Auto-Submitted: auto-replied")),
    ):
        reply = said(operator, envelope, doctor.address, message)
        assert reply.startswith("550 5.7.1"), (envelope, message, reply)
    operator.close()


@pytest.mark.req("BAL-7", "TRU-7")
def test_a_report_cannot_borrow_another_listed_operators_name(served: Served, doctor: Account) -> None:
    """Null sender: a host name that no list knows passes, a domain that the list gives to somebody else does not."""
    listed = served.parts.trust.trusted_list.domains
    own = served.handout.operator.domain
    foreign = next(one for one in sorted(listed) if one != own and one not in served.settings.book.hosted)
    operator = served.operator()
    auto = "Auto-Submitted: auto-replied"
    assert said(operator, "", doctor.address, note("mailer-daemon@mx.ailleurs.example", auto)).startswith(
        "250"
    )
    assert said(operator, "", doctor.address, note(f"postmaster@{own}", auto)).startswith("250")
    assert said(operator, "", doctor.address, note(f"medecin@{foreign}", auto)).startswith("550 5.7.1")
    operator.close()


@pytest.mark.req("CHN-7", "BAL-6")
def test_resent_from_gives_no_identity(served: Served, doctor: Account, patient: Account, other: str) -> None:
    """Resent-From is content: it neither helps nor is it taken for the author."""
    wire = served.submission(doctor)
    assert said(
        wire, doctor.address, patient.address, note(other, f"Resent-From: {doctor.address}")
    ).startswith("550")
    wire.close()
