"""A professional and a patient operator as two daemons behave as one gateway with both roles (RTE-2, issue line 1).

Each scenario runs against both set-ups over real sockets and says in lines what it saw; both must say the lines that
stand in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from mss_gateway.dev import wire
from mss_gateway.dev.operators import Operators
from mss_gateway.dev.wire import human_text, report_fields
from mss_gateway.rules import texts
from tests.support.process import GatewayProcess
from tests.support.rows import base_port
from tests.support.scene import Scene, shown

TAKEN = "250 2.0.0 Stored"
EXCHANGES = "Echanges patient"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Two daemons, and the rest of the trust space."""
    with Operators(tmp_path_factory.mktemp("two"), base_port()) as operators:
        yield Scene(operators.handout)


@pytest.fixture(scope="module")
def one(gateway: GatewayProcess) -> Scene:
    """One daemon with both roles."""
    return Scene(gateway.handout)


def reply_and_reading(scene: Scene) -> list[str]:
    """A professional writes, the patient reads it byte for byte."""
    message = scene.to_patient()
    said = scene.submits(scene.doctor, message)
    stored = scene.arrived(scene.patient, message)
    return [
        said,
        shown(stored),
        str(stored.message["From"]),
        stored.octets[-len("Bonjour.\r\n") :].decode(),
    ]


def answering(scene: Scene) -> list[str]:
    """The patient answers; both directions lie in one folder of the professional."""
    message = scene.to_patient()
    scene.submits(scene.doctor, message)
    scene.arrived(scene.patient, message)
    answer = scene.answer(message)
    said = scene.submits(scene.patient, answer)
    return [said, scene.sees(scene.doctor, answer), scene.sees(scene.doctor, message)]


def never_written(scene: Scene) -> list[str]:
    """A patient writes first."""
    cabinet = scene.handout.account("CAB").address
    return [scene.submits(scene.patient, scene.message(scene.patient.address, cabinet))]


def ended_by_subject(scene: Scene) -> list[str]:
    """[FIN]: the patient reads it, is told, finds the exchange marked, and cannot answer."""
    message, end = scene.to_patient(), scene.to_patient("[FIN]")
    scene.submits(scene.doctor, message)
    scene.arrived(scene.patient, message)
    said = scene.submits(scene.doctor, end)
    scene.arrived(scene.patient, end)
    marked = scene.until(scene.patient, message, lambda found: "$MSSClosed" in found.flags)
    notice = scene.answered(scene.patient, end)
    refused = scene.submits(scene.patient, scene.answer(message))
    return [said, shown(marked), scene.sees(scene.patient, end), human_text(notice.message), refused]


def ended_by_header(scene: Scene) -> list[str]:
    """X-MSS-MES: FIN on an ordinary message."""
    message = scene.to_patient("Dernier message", X_MSS_MES="FIN")
    said = scene.submits(scene.doctor, message)
    scene.until(scene.patient, message, lambda found: "$MSSClosed" in found.flags)
    return [said, scene.sees(scene.patient, message), scene.submits(scene.patient, scene.answer(message))]


def written_again(scene: Scene) -> list[str]:
    """After an end, a new message opens, and takes the marks away."""
    end, again = scene.to_patient("[FIN]"), scene.to_patient("Rendez-vous")
    scene.submits(scene.doctor, end)
    scene.until(scene.patient, end, lambda found: "$MSSClosed" in found.flags)
    scene.submits(scene.doctor, again)
    scene.arrived(scene.patient, again)
    unmarked = scene.until(scene.patient, end, lambda found: "$MSSClosed" not in found.flags)
    answer = scene.answer(again)
    said = scene.submits(scene.patient, answer)
    return [shown(unmarked), scene.sees(scene.patient, again), said, scene.sees(scene.doctor, answer)]


def near_miss(scene: Scene) -> list[str]:
    """Re: [FIN] closes nothing, and the professional is told so once."""
    message = scene.to_patient("Re: [FIN]")
    said = scene.submits(scene.doctor, message)
    notice = scene.answered(scene.doctor, message)
    scene.arrived(scene.patient, message)
    answer = scene.submits(scene.patient, scene.answer(message))
    return [said, str(notice.message["Subject"]), human_text(notice.message)[:60], answer]


def software_without_reply_to(scene: Scene) -> list[str]:
    """BAL-8: what software sends cannot be answered unless it says where."""
    message = scene.message(scene.handout.app.address, scene.patient.address)
    said = scene.software_submits(message)
    stored = scene.until(scene.patient, message, lambda found: "$MSSClosed" in found.flags)
    refused = scene.submits(scene.patient, scene.answer(message))
    return [said, shown(stored), str(stored.message["X-MSS-MES"]), refused]


def software_with_reply_to(scene: Scene) -> list[str]:
    """CHN-1: the answer goes to Reply-To, and only there."""
    office = scene.handout.account("ORG")
    message = scene.message(scene.handout.app.address, scene.patient.address, Reply_To=office.address)
    said = scene.software_submits(message)
    scene.arrived(scene.patient, message)
    answer = scene.answer(message)
    accepted = scene.submits(scene.patient, answer)
    to_app = scene.message(scene.patient.address, scene.handout.app.address)
    return [said, accepted, scene.sees(office, answer), scene.submits(scene.patient, to_app)]


def closed_patient(scene: Scene) -> list[str]:
    """PAT-2: the automatic mail, word for word, as the human part of a DSN."""
    return _bounce(scene, scene.handout.patients.closed)


def absent_patient(scene: Scene) -> list[str]:
    """PAT-2: the same for a patient who has no mailbox."""
    return _bounce(scene, f"274075176079430@{scene.patient.address.partition('@')[2]}")


def _bounce(scene: Scene, patient: str) -> list[str]:
    message = scene.message(scene.doctor.address, patient)
    said = scene.submits(scene.doctor, message)
    report = scene.answered(scene.doctor, message)
    fields = report_fields(report.message)
    return [
        said,
        shown(report),
        f"{report.message['Return-Path']} {report.message['Auto-Submitted']}",
        str(texts.PATIENT_CLOSED.format(address=patient) in human_text(report.message)),
        f"{fields['action']} {fields['status']} {fields['final-recipient'].replace(patient, 'patient')}",
    ]


def not_activated(scene: Scene) -> list[str]:
    """PAT-1: a mailbox that is not activated receives."""
    message = scene.message(scene.doctor.address, scene.handout.patients.not_activated)
    return [scene.submits(scene.doctor, message)]


def receipt(scene: Scene) -> list[str]:
    """RCP-2: one MDN when the patient opens, and only one."""
    message = scene.to_patient(Disposition_Notification_To=scene.doctor.address)
    scene.submits(scene.doctor, message)
    scene.arrived(scene.patient, message, opened=True)
    report = scene.answered(scene.doctor, message)
    marked = scene.until(scene.patient, message, lambda found: "$MDNSent" in found.flags)
    scene.arrived(scene.patient, message, opened=True)
    _later_receipt(scene)
    fields, patient = report_fields(report.message), scene.patient.address
    return [
        str(report.message.get_param("report-type")),
        f"{report.message['Return-Path']} {report.message['Auto-Submitted']}",
        fields["disposition"],
        fields["final-recipient"].replace(patient, "patient"),
        fields["original-recipient"].replace(patient, "patient"),
        str(fields["original-message-id"] == message["Message-ID"]),
        shown(marked),
        f"{len(scene.answers(scene.doctor, message))} receipt",
    ]


def receipt_elsewhere(scene: Scene) -> list[str]:
    """RCP-3: no MDN to somebody else than the return path."""
    office = scene.handout.account("ORG").address
    message = scene.to_patient(Disposition_Notification_To=office)
    said = scene.submits(scene.doctor, message)
    scene.arrived(scene.patient, message, opened=True)
    _later_receipt(scene)
    account = scene.handout.account("ORG")
    found = [*scene.answers(scene.doctor, message), *scene.answers(account, message)]
    return [said, f"{len(found)} receipts"]


def _later_receipt(scene: Scene) -> None:
    """What was owed before has come when a receipt asked for later has."""
    later = scene.to_patient(Disposition_Notification_To=scene.doctor.address)
    scene.submits(scene.doctor, later)
    scene.arrived(scene.patient, later, opened=True)
    scene.answered(scene.doctor, later)


def patient_to_others(scene: Scene) -> list[str]:
    """CHN-7: to a patient, to the outside, in another's name."""
    me, domain = scene.patient.address, scene.patient.address.partition("@")[2]
    other = f"274075176079430@{domain}"
    forged = scene.message(other, scene.doctor.address)
    return [
        scene.submits(scene.patient, scene.message(me, other)),
        scene.submits(scene.patient, scene.message(me, "quelquun@example.org")),
        scene.submits(scene.patient, forged),
        scene.submits(scene.patient, forged, sender=me),
    ]


def wrong_numbers(scene: Scene) -> list[str]:
    """INS-1: key, month, length, before anything is sent."""
    domain = scene.patient.address.partition("@")[2]
    numbers = ("285037728417347", "285137728417346", "28503772841734")
    return [
        scene.submits(scene.doctor, scene.message(scene.doctor.address, f"{number}@{domain}"))
        for number in numbers
    ]


def too_large(scene: Scene) -> list[str]:
    """PAT-5: 25 MiB."""
    message = scene.to_patient()
    message.add_attachment(bytes(20 * 1024 * 1024), maintype="image", subtype="tiff", filename="image.tiff")
    return [scene.submits(scene.doctor, message)]


def wrong_kind(scene: Scene) -> list[str]:
    """PAT-5: a kind of file that a patient cannot receive."""
    message = scene.to_patient()
    message.add_attachment(b"MZ\x90\x00", maintype="application", subtype="x-msdownload", filename="a.exe")
    return [scene.submits(scene.doctor, message)]


def ends_by_itself(scene: Scene) -> list[str]:
    """CHN-8: after the first answer the gateway ends the exchange on behalf of the BAL."""
    office = scene.handout.account("CAB")
    scene.asked("bal.set", address=office.address, auto_close="answer")
    message = scene.message(office.address, scene.patient.address)
    scene.submits(office, message)
    scene.arrived(scene.patient, message)
    answer = scene.answer(message)
    said = scene.submits(scene.patient, answer)
    scene.arrived(office, answer)
    marked = scene.until(scene.patient, message, lambda found: "$MSSClosed" in found.flags)
    ends = wire.looked_up(scene.handout, scene.patient, "Subject", "[FIN]")
    ours = [found for found in ends if office.address in str(found.message["From"])]
    refused = scene.submits(scene.patient, scene.answer(message))
    scene.asked("bal.set", address=office.address, auto_close="never")
    return [said, shown(marked), f"{len(ours)} [FIN]", refused]


@dataclass(frozen=True)
class Row:
    """A scenario with the lines that both set-ups say."""

    play: Callable[[Scene], list[str]]
    ids: tuple[str, ...]
    lines: list[str]


CLOSED = (
    "550 5.7.1 Ce professionnel de sante a mis fin a vos echanges : il ne peut plus recevoir de reponse"
    " tant qu'il ne vous ecrit pas a nouveau"
)
NEVER = "550 5.7.1 Seul un professionnel de sante peut ecrire le premier message ; celui-ci ne vous a pas encore ecrit"
BOUNCE = [
    TAKEN,
    "INBOX: Message non distribué",
    "<> auto-replied",
    "True",
    "failed 5.2.1 rfc822; patient",
]
TABLE = [
    Row(never_written, ("CHN-6",), [NEVER]),
    Row(
        reply_and_reading,
        ("RTE-2", "RTE-7", "PAT-4"),
        [
            TAKEN,
            "INBOX: Résultats",
            "Médecin Exemple <medecin.exemple@clinique-exemple.mssante.fr>",
            "Bonjour.\r\n",
        ],
    ),
    Row(
        answering,
        ("CHN-2", "CHN-6", "IMP-2", "RTE-2"),
        [TAKEN, f"{EXCHANGES}: Re: Résultats", f"{EXCHANGES}: Résultats"],
    ),
    Row(
        ended_by_subject,
        ("CHN-3", "CHN-6", "CHN-10"),
        [
            TAKEN,
            "INBOX: Résultats $MSSClosed",
            "INBOX: [FIN] $MSSClosed",
            "Médecin Exemple a mis fin à vos échanges.",
            CLOSED,
        ],
    ),
    Row(ended_by_header, ("CHN-4", "CHN-10"), [TAKEN, "INBOX: Dernier message $MSSClosed", CLOSED]),
    Row(
        written_again,
        ("CHN-2", "CHN-10"),
        ["INBOX: [FIN]", "INBOX: Rendez-vous", TAKEN, f"{EXCHANGES}: Re: Rendez-vous"],
    ),
    Row(
        near_miss,
        ("CHN-5",),
        [
            TAKEN,
            "Votre échange avec le patient n'est pas clos",
            "Bonjour, Votre message a bien été remis au patient, mais il ",
            TAKEN,
        ],
    ),
    Row(software_without_reply_to, ("BAL-8", "CHN-4"), [TAKEN, "INBOX: Résultats $MSSClosed", "FIN", CLOSED]),
    Row(
        software_with_reply_to,
        ("BAL-8", "CHN-1"),
        [TAKEN, TAKEN, f"{EXCHANGES}: Re: Résultats", CLOSED],
    ),
    Row(closed_patient, ("PAT-2", "RCP-1", "RCP-6"), BOUNCE),
    Row(absent_patient, ("PAT-2", "RCP-6"), BOUNCE),
    Row(not_activated, ("PAT-1",), [TAKEN]),
    Row(
        receipt,
        ("RCP-2", "RCP-6"),
        [
            "disposition-notification",
            "<> auto-replied",
            "manual-action/MDN-sent-automatically; displayed",
            "rfc822; patient",
            "rfc822; patient",
            "True",
            "INBOX: Résultats $MDNSent",
            "1 receipt",
        ],
    ),
    Row(receipt_elsewhere, ("RCP-3",), [TAKEN, "0 receipts"]),
    Row(
        patient_to_others,
        ("CHN-7",),
        [
            "550 5.7.1 La messagerie ne permet pas d'ecrire a un autre patient",
            "550 5.7.1 La messagerie ne permet d'ecrire qu'a des professionnels de l'espace de confiance MSSante",
            "550 5.7.1 Vous ne pouvez ecrire que depuis votre propre adresse",
            "550 5.7.1 The header From must be the address of MAIL FROM",
        ],
    ),
    Row(
        wrong_numbers,
        ("INS-1",),
        [
            f"550 5.1.3 Not a patient address: {fault}"
            for fault in (
                "the key (last 2 digits) of the INS is wrong",
                "the month of birth in the INS is neither 01 to 12 nor a reserved number",
                "the INS must be 15 characters: the matricule of 13 and its key of 2",
            )
        ],
    ),
    Row(ends_by_itself, ("CHN-8", "CHN-10"), [TAKEN, "INBOX: Résultats $MSSClosed", "1 [FIN]", CLOSED]),
    Row(too_large, ("PAT-5",), ["552 5.3.4 Message trop volumineux : un patient recoit au plus 25 Mo"]),
    Row(
        wrong_kind,
        ("PAT-5",),
        ["550 5.6.1 Un patient ne peut pas recevoir une piece jointe de type application/x-msdownload"],
    ),
]


def _params() -> list[object]:
    return [
        pytest.param(row, marks=[pytest.mark.req(*row.ids)], id=row.play.__name__.replace("_", "-"))
        for row in TABLE
    ]


@pytest.mark.parametrize("row", _params())
def test_two_daemons_behave_as_one(one: Scene, two: Scene, row: Row) -> None:
    """Same replies, same mail seen by the patient, same mail back to the professional."""
    assert row.play(one) == row.lines
    assert row.play(two) == row.lines
