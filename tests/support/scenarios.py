"""What happens between a professional and a patient, played against one set-up, told in lines that can be compared."""

from __future__ import annotations

from mss_gateway.dev import wire
from mss_gateway.dev.wire import human_text, report_fields
from mss_gateway.rules import texts
from tests.support.scene import Scene, shown


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


def octets_stay(scene: Scene) -> list[str]:
    """RTE-7: 8-bit text, dots at the start of lines, blanks at their ends, a line of 990 octets."""
    message = scene.to_patient("Texte difficile")
    head, _, _ = wire.octets(message).partition(b"\r\n\r\n")
    text = "\r\n".join(["Éàü “8 bits”", ".", "..deux", "fin  ", "x" * 990, "", "", "."]).encode()
    octets = head + b"\r\n\r\n" + text + b"\r\n"
    said = scene.submits_to(scene.doctor, octets, {scene.patient.address: ""}, "BODY=8BITMIME")
    stored = scene.arrived(scene.patient, message)
    return [*said, str(stored.octets.endswith(octets)), str(stored.message["Return-Path"])]


def colleague_and_patient(scene: Scene) -> list[str]:
    """RTE-4: one submission to a colleague and a patient; each gets one copy, and the patient may answer."""
    office, message = scene.handout.account("ORG"), scene.to_patient("Pour deux")
    said = scene.submits_to(
        scene.doctor, wire.octets(message), {office.address: "", scene.patient.address: ""}
    )
    at_office, at_patient = scene.arrived(office, message), scene.arrived(scene.patient, message)
    answer = scene.submits(scene.patient, scene.answer(message))
    return [*said, shown(at_office), shown(at_patient), answer]


def wishes(scene: Scene) -> list[str]:
    """RCP-1: the wishes of RFC 3461 reach whoever writes the report."""
    closed, message = scene.handout.patients.closed, scene.to_patient("Avec souhaits")
    scene.submits_to(
        scene.doctor,
        wire.octets(message),
        {closed: f"NOTIFY=FAILURE ORCPT=rfc822;{closed}"},
        "RET=HDRS ENVID=dossier-7",
    )
    fields = report_fields(scene.answered(scene.doctor, message).message)
    return [fields["original-envelope-id"], fields["original-recipient"].replace(closed, "patient")]


def never_told(scene: Scene) -> list[str]:
    """RCP-1: NOTIFY=NEVER brings no report, not even of a closed mailbox."""
    closed, message = scene.handout.patients.closed, scene.to_patient("Sans retour")
    said = scene.submits_to(scene.doctor, wire.octets(message), {closed: "NOTIFY=NEVER"})
    _bounce(scene, closed)
    return [*said, f"{len(scene.answers(scene.doctor, message))} reports"]


def success_told(scene: Scene) -> list[str]:
    """RCP-1: NOTIFY=SUCCESS tells that the patient's mailbox has the message."""
    message = scene.to_patient("Bien arrivé ?")
    scene.submits_to(scene.doctor, wire.octets(message), {scene.patient.address: "NOTIFY=SUCCESS"})
    report = scene.answered(scene.doctor, message)
    fields = report_fields(report.message)
    return [shown(report), f"{fields['action']} {fields['status']}"]


def ended_by_hand(scene: Scene) -> list[str]:
    """CHN-10: the professionals' operator closes an exchange; the patient is told and cannot answer."""
    message = scene.to_patient("Fermé par l'exploitant")
    scene.submits(scene.doctor, message)
    scene.arrived(scene.patient, message)
    pair = {"patient": scene.patient.address, "bal": scene.doctor.address}
    scene.asked("channel.close", reason="essai", **pair)
    marked = scene.until(scene.patient, message, lambda found: "$MSSClosed" in found.flags)
    return [shown(marked), scene.submits(scene.patient, scene.answer(message))]


def a_document(scene: Scene) -> list[str]:
    """INS-6: an archive for the patient is read and passes; for another patient, or for two, it is refused."""
    octets, other = scene.document(), scene.handout.patients.not_activated
    message, me = wire.parsed(octets), scene.patient.address
    passed = scene.submits_to(scene.doctor, octets, {me: ""})
    stored = scene.arrived(scene.patient, message)
    names = [part.get_filename() for part in stored.message.walk() if part.get_content_subtype() == "zip"]
    wrong = scene.submits_to(scene.doctor, octets.replace(me.encode(), other.encode()), {other: ""})
    several = scene.submits_to(scene.doctor, octets, {me: "", other: ""})
    return [passed[-1], str(stored.octets.endswith(octets)), str(names), wrong[-1], several[-1]]


def a_broken_document(scene: Scene) -> list[str]:
    """INS-6: an archive that cannot be read is refused, whoever it is for."""
    message = scene.to_patient("XDM/1.0/DDM+Bilan")
    message.add_attachment(b"PK\x03\x04broken", maintype="application", subtype="zip", filename="IHE_XDM.zip")
    return [scene.submits(scene.doctor, message)]


def ended_behind_a_large_one(scene: Scene) -> list[str]:
    """CHN-9: [FIN] does not overtake the large message sent just before it, which would open the channel again."""
    large, end = scene.to_patient("Imagerie"), scene.to_patient("[FIN]")
    pdf = b"%PDF-1.4" + bytes(12 * 1024 * 1024)
    large.add_attachment(pdf, maintype="application", subtype="pdf", filename="imagerie.pdf")
    said = [scene.submits(scene.doctor, message) for message in (large, end)]
    for message in (large, end):
        scene.arrived(scene.patient, message)
    return [*said, scene.submits(scene.patient, scene.answer(large))]
