"""Other operators, other members, operators' own files: what none of them may forge, see or overwrite."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mss_gateway.ops.operation import OperationRefused
from mss_gateway.settings import Settings
from tests.support.attacks import (
    OTHER,
    OTHER_PASSWORD,
    holding,
    note,
    operate,
    report_of,
    said,
    second_patient,
    state_of,
)
from tests.support.doors import Served, gateway_in_thread
from tests.support.process import GatewayProcess

FOLDER = "Echanges patient"
EVIL = "\x1b[31m\x1b]0;pris\x07=cmd|' /C calc'!A0"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway with a second patient; at its end no fault of ours may have been counted."""
    with gateway_in_thread(tmp_path_factory.mktemp("exchanges")) as gateway:
        operate(gateway, "patient.add", ins=OTHER, password=OTHER_PASSWORD)
        yield gateway
        assert gateway.faults() == 0


@pytest.fixture(scope="module")
def professional(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway whose patients live elsewhere: the certificate of the sample speaks for their domain."""

    def without_patients(settings: Settings) -> Settings:
        return replace(settings, book=replace(settings.book, patient_hosted=False))

    with gateway_in_thread(tmp_path_factory.mktemp("professional"), without_patients) as gateway:
        yield gateway
        assert gateway.faults() == 0


# --- operators


@pytest.mark.req("CHN-6", "CHN-7", "BAL-7")
def test_the_patients_operator_forges_no_other_patient(professional: Served) -> None:
    """One patient in the envelope is the same in From, Sender and Reply-To, whatever the shape of the message."""
    doctor, own = professional.account("PER"), professional.account("PAT").address
    other = second_patient(professional).address
    write = professional.submission(doctor)
    assert said(write, doctor.address, own, note(doctor.address)).startswith("250")
    write.close()
    wire = professional.mta(professional.handout.own)
    assert said(wire, own, doctor.address, note(own)).startswith("250")
    for envelope, message in (
        (own, note(other)),
        (own, note(own, f"Sender: {other}")),
        (own, note(own, f"Reply-To: {other}")),
        (own, note(own, f"Reply-To: {own}, {other}")),
        (own, note(own, f"From: {other}")),
        (own, note(f"{other} <{own}>", f"Sender: {doctor.address}")),
        (own, report_of(other, "lu")),
        (own, note(own, f"Reply-To: Tous: {own}, {other};")),
        (doctor.address, note(own)),
        ("", note(doctor.address, "Auto-Submitted: auto-replied")),
        ("", note(own)),
    ):
        reply = said(wire, envelope, doctor.address, message)
        assert reply.startswith(("550 5.7.1", "550 5.6.0")), (envelope, message, reply)
        assert OTHER not in reply
    wire.close()


@pytest.mark.req("CHN-7", "BAL-7", "TRU-4")
def test_no_other_operator_writes_as_a_patient(professional: Served) -> None:
    """Neither in the envelope nor in the header, nor in a report."""
    doctor, own = professional.account("PER"), professional.account("PAT").address
    sender = f"confrere@{professional.handout.operator.domain}"
    wire = professional.operator()
    for envelope, message in (
        (own, note(own)),
        (sender, note(own)),
        (sender, note(sender, f"Sender: {own}")),
        (sender, note(sender, f"Reply-To: {own}")),
        ("", report_of(own, "lu")),
        ("", note(own, "Auto-Submitted: auto-replied")),
    ):
        reply = said(wire, envelope, doctor.address, message)
        assert reply.startswith("550 5.7.1"), (envelope, message, reply)
    wire.close()


@pytest.mark.req("CHN-6", "CHN-3")
def test_the_patients_operator_neither_opens_nor_ends(professional: Served) -> None:
    """An end mark of a patient elsewhere is content, and a closed channel is closed to reports under a name too."""
    doctor, own = professional.account("PER"), professional.account("PAT").address
    write = professional.submission(doctor)
    wire = professional.mta(professional.handout.own)
    for subject, state, code in (("Bonjour", "open", "250"), ("[FIN]", "closed", "550 5.7.1")):
        assert said(write, doctor.address, own, note(doctor.address, subject=subject)).startswith("250")
        for message in (note(own, "X-MSS-MES: FIN", subject="[FIN]"), report_of(own, "lu")):
            assert said(wire, own, doctor.address, message).startswith(code)
            assert state_of(professional, own, doctor.address) == state
    write.close()
    wire.close()


# --- where answers and reports go


@pytest.mark.req("CHN-1", "CHN-7", "BAL-6")
@pytest.mark.parametrize(
    "field",
    [
        "Reply-To: {own}, {other}",
        "Reply-To: Tous: {own}, {other};",
        "Reply-To: Tous: {other};, {own}",
        "Reply-To: {own},\r\n\t{other}",
        "Reply-To: {own} <{other}>",
        "Reply-To: {upper}",
        "Reply-To: undisclosed:;",
        "Reply-To:",
        "Reply-To : {other}",
        "Sender: {other}",
    ],
)
def test_no_answer_is_led_to_another_patient(served: Served, field: str) -> None:
    """In lists, groups and folds: a Reply-To with a patient in it is refused, and opens nothing."""
    doctor, patient, other = served.account("PER"), served.account("PAT"), second_patient(served).address
    line = field.format(own=doctor.address, other=other, upper=other.upper())
    for account in (doctor, served.account("ORG")):
        wire = served.submission(account)
        reply = said(wire, account.address, patient.address, note(account.address, line))
        assert reply.startswith("550 5.7.1"), reply
        assert OTHER not in reply
        wire.close()
    sender = f"confrere@{served.handout.operator.domain}"
    operator = served.operator()
    reply = said(operator, sender, patient.address, note(sender, line))
    # Of an operator, a Reply-To that cannot be read is passed over (CHN-1); nobody can answer to it.
    unreadable = field in ("Reply-To: {own} <{other}>", "Reply-To: undisclosed:;", "Reply-To:")
    assert reply.startswith("250" if unreadable else "550 5.7.1"), reply
    operator.close()
    assert state_of(served, patient.address, other) == "never"
    answer = served.submission(patient)
    assert said(answer, patient.address, other, note(patient.address)).startswith("550 5.7.1")
    answer.close()


@pytest.mark.req("RCP-1", "CHN-6")
def test_a_report_of_success_goes_back_and_takes_nothing_along(served: Served) -> None:
    """Asked for by a patient with every wish there is: it is the patient's alone, without the text."""
    doctor, patient, other = served.account("PER"), served.account("PAT"), second_patient(served)
    wire = served.submission(doctor)
    assert said(wire, doctor.address, patient.address, note(doctor.address)).startswith("250")
    wire.close()
    wire = served.submission(patient)
    wishes = f"<{doctor.address}> NOTIFY=SUCCESS ORCPT=rfc822;{other.address}"
    message = note(patient.address, f"Errors-To: {other.address}", text="texte-du-patient")
    assert said(wire, patient.address, wishes, message, "RET=FULL").startswith("250")
    assert said(wire, patient.address, f"<{other.address}> NOTIFY=SUCCESS", message).startswith("550 5.7.1")
    wire.close()
    (report,) = [octets for _, octets in holding(served, patient, "Action: delivered")]
    assert b"texte-du-patient" not in report
    assert holding(served, other, "Action: delivered") == []
    assert holding(served, doctor, "Action: delivered") == []


# --- mailboxes of several members, exchanges of several mailboxes


@pytest.mark.req("IMP-2", "BAL-3")
def test_a_saved_copy_reveals_and_overwrites_nothing(served: Served) -> None:
    """The Message-ID of another member's message brings neither its text nor an end to one's own."""
    patient = served.account("PAT")
    first, second = (one for one in served.handout.accounts if one.type == "ORG")
    identity = "Message-ID: <du-collegue@x.example>"
    wire = served.submission(first)
    original = note(first.address, identity, text="texte-du-collegue")
    assert said(wire, first.address, patient.address, original).startswith("250")
    wire.close()
    reader = served.imap(second)
    forged = note(first.address, identity, text="texte-tout-autre")
    name = (
        next(one for one in reader.ok('LIST "" "*"') if FOLDER.encode() in one)
        .rpartition(b'"/" ')[2]
        .decode()
    )
    assert reader.append(name, forged).startswith(b"OK")
    assert reader.append(name, original).startswith(b"OK")  # what the client saves of what was sent
    reader.close()
    assert len(holding(served, first, "texte-du-collegue", name.strip('"'))) == 1
    assert len(holding(served, first, "texte-tout-autre", name.strip('"'))) == 1


@pytest.mark.req("IMP-2", "BAL-2")
def test_copies_of_one_mailbox_stay_in_it(served: Served) -> None:
    """One patient, three mailboxes, one thread: each sees its own side."""
    patient = served.account("PAT")
    accounts = [served.account(kind) for kind in ("PER", "ORG", "CAB")]
    for account in accounts:
        wire = served.submission(account)
        message = note(account.address, "Message-ID: <meme-fil@x.example>", text=f"copie-{account.type}")
        assert said(wire, account.address, patient.address, message).startswith("250")
        wire.close()
    answer = served.submission(patient)
    thread = ("In-Reply-To: <meme-fil@x.example>", "References: <meme-fil@x.example>")
    message = note(patient.address, *thread, text="reponse-au-cabinet")
    assert said(answer, patient.address, accounts[2].address, message).startswith("250")
    answer.close()
    for account in accounts:
        reader = served.imap(account)
        names = [line.rpartition(b'"/" ')[2].decode().strip('"') for line in reader.ok('LIST "" "*"')]
        reader.close()
        texts = b"".join(octets for name in names for _, octets in holding(served, account, "e", name))
        for other in accounts:
            assert (f"copie-{other.type}".encode() in texts) == (other is account)
        assert (b"reponse-au-cabinet" in texts) == (account.type == "CAB")


# --- what operators of this gateway type and import


@pytest.mark.req("PAT-3")
@pytest.mark.parametrize("where", ["patient", "hosted", "mssante", "listed"])
def test_alerts_go_out_of_mssante(served: Served, where: str) -> None:
    """A personal address is none of the trust space: not another patient's, not a professional's."""
    patient = served.account("PAT").address
    alert = {
        "patient": second_patient(served).address,
        "hosted": served.account("PER").address,
        "mssante": "quelqu.un@ailleurs.mssante.fr",
        "listed": f"confrere@{served.handout.operator.domain}",
    }[where]
    with pytest.raises(OperationRefused) as refused:
        operate(served, "patient.set", ins=patient, alert=alert)
    assert refused.value.reason == "alert-address"
    row = {"line": 2, "ins": patient.partition("@")[0], "alert": alert}
    answer = operate(served, "patient.import", rows=[row])
    assert [one["reason"] for one in answer["refused"]] == ["alert-address"]


@pytest.mark.req("INS-5", "PAT-1", "INS-7")
@pytest.mark.timeout(600)
def test_formulas_and_giants_in_files_are_only_text(gateway: GatewayProcess, tmp_path: Path) -> None:
    """Nothing is evaluated, nothing reaches the terminal, bad lines are told by number, the good ones are kept."""
    giant = "A" * 70_000
    table = tmp_path / "patients.csv"
    lines = [
        "INS;nom;alerte",
        f"{OTHER};{EVIL};",
        f"{OTHER};{giant};",
        f"=1+1;{EVIL};",
        f"{OTHER};x;{'a' * 300}@courriel.example",
        f'{OTHER};"ouvert;',
        f"{OTHER};@SUM(1);-2+3@courriel.example",
    ]
    table.write_text("\r\n".join(lines), encoding="utf-8")
    done = _cli(gateway, "patient", "import", str(table))
    assert done.returncode == 7, done.stderr
    for number in (3, 4, 5, 6):
        assert f"line {number}" in done.stdout
    assert OTHER not in done.stdout + done.stderr
    listed = _cli(gateway, "patient", "list")
    assert listed.returncode == 0
    for text in (done.stdout, done.stderr, listed.stdout, listed.stderr):
        assert "\x1b" not in text
        assert "\x07" not in text
        assert giant[:1000] not in text


@pytest.mark.req("CHN-10")
@pytest.mark.timeout(600)
def test_a_name_from_outside_does_not_speak_to_the_terminal(gateway: GatewayProcess) -> None:
    """The display name of another operator's message is shown by `channel list`, without what a terminal obeys."""
    from base64 import b64encode

    from mss_gateway.dev.wire import tls
    from tests.support.wires import Smtp

    handout = gateway.handout
    sender = f"escape@{handout.operator.domain}"
    wire = Smtp(handout.ports.mta)
    wire.hello()
    wire.start_tls(tls(handout, handout.operator))
    wire.hello()
    name = b64encode("\x1b]0;pris\x07Docteur\u202eodnoF".encode()).decode()
    message = note(f"=?utf-8?b?{name}?= <{sender}>")
    assert said(wire, sender, handout.patients.active, message).startswith("250")
    wire.close()
    for words in (
        ("channel", "list", "--json"),
        ("channel", "list"),
        ("channel", "show", handout.patients.active, sender),
    ):
        done = _cli(gateway, *words)
        assert done.returncode == 0, done.stderr
        assert "Docteur" in "".join(done.stdout.split()) or words == ("channel", "list")
        for sign in ("\x1b", "\x07"):
            assert sign not in done.stdout + done.stderr


def _cli(gateway: GatewayProcess, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mss_gateway", *words, "--config", str(gateway.config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
