"""Steps of the tour with the independent operator, whose code is not ours."""

from __future__ import annotations

import json
from email.message import EmailMessage
from pathlib import Path

from . import wire
from .handout import Handout
from .tour import Stage, Step, eventually, expect, expect_refusal


def foreign_delivery(stage: Stage) -> str:
    """RTE-1, TRU-1, RTE-7: another operator's server delivers, and the message is there byte for byte."""
    sender = f"expediteur@{stage.handout.operator.domain}"
    message = stage.message(
        "letter", sender, stage.professional.address, "Compte rendu", "Bonjour,\nvoici le CR.\n"
    )
    reply = wire.deliver(stage.handout, stage.handout.operator, message)
    stored = wire.read_octets(stage.handout, stage.professional, str(message["Message-ID"]))
    expect(stored.endswith(wire.octets(message)), "the stored bytes differ from the sent ones")
    received = str(wire.parsed(stored)["Received"])
    expect("TLSv1" in received, "the Received header does not tell the TLS version")
    return f"{reply} · read over IMAP · {' '.join(received.split())[:120]}"


def exchange(stage: Stage) -> str:
    """RTE-3, RTE-7, TRU-5: ours writes, the neighbour's server answers by itself."""
    message, path = _sent(stage, "answer", "Demande d'avis")
    told = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    expect(path.read_bytes().endswith(wire.octets(message)), "the neighbour got other bytes than were sent")
    expect(told["peer"].startswith("mx."), f"no certificate was shown to the neighbour: {told}")
    answer = stage.found(stage.professional, message, by="In-Reply-To").message
    return f"it saw {told['peer']} over {told['tls']} · it answers « {answer['Subject']} »"


def with_a_patient(stage: Stage) -> str:
    """CHN-2, CHN-6, RTE-2: a professional of the neighbour's writes to the patient, who answers over there."""
    sender = f"service.{int(stage.started)}@{stage.handout.operator.domain}"
    message = stage.message("n-patient", sender, stage.patient.address, "Convocation", "Bonjour.\n")
    before = stage.reply("n-early", message, stage.patient.address, "Je n'ai rien reçu.\n")
    refusal = expect_refusal(lambda: stage.send(stage.patient, before), "550", "5.7.1")
    wire.deliver(stage.handout.patient_side, stage.handout.operator, message)
    stage.read(stage.patient, message)
    answer = stage.reply("n-answer", message, stage.patient.address, "Je viendrai.\n")
    stage.send(stage.patient, answer)
    path = _kept(stage, answer)
    told = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return f"before: {refusal[:60]}… · after: its server got the answer from {told['peer']}"


def receipt(stage: Stage) -> str:
    """RCP-5: its receipt is delivered as it is, and stands on the timeline of the message."""
    message, _ = _sent(stage, "mdn", "Avec accusé", receipt=True)
    report = stage.found(stage.professional, message, by="In-Reply-To").message
    expect(report.get_content_type() == "multipart/report", "what came is no report")
    lines = _timeline(stage, message, "mdn-received")
    return f"« {report['Subject']} » · timeline: {' → '.join(lines)}"


def integration_error(stage: Stage) -> str:
    """RCP-5: its software could not file the document; the code is on the timeline."""
    message, _ = _sent(stage, "ko", "XDM/1.0/DDM+CR EXEMPLE PATIENTE 14/03/1985")
    report = stage.found(stage.professional, message, by="In-Reply-To").message
    lines = _timeline(stage, message, "integration-error")
    return f"« {report['Subject']} » · timeline: {' → '.join(lines)}"


def retried(stage: Stage) -> str:
    """QUE-2: a temporary refusal is tried again until the message is taken."""
    message, _ = _sent(stage, "later", "Plus tard")
    lines = _timeline(stage, message, "relayed")
    expect("deferred" in lines, f"no second attempt on the timeline: {lines}")
    return f"timeline: {' → '.join(lines)}"


def lost_answer(stage: Stage) -> str:
    """QUE-1: an answer lost after the data is a state of its own, told as such, and the message is tried again."""
    neighbour = stage.handout.neighbour
    assert neighbour is not None
    order = Path(neighbour.state) / "behaviour"
    order.write_text("drop", encoding="ascii")
    try:
        message = stage.letter("n-lost", "Réponse perdue", "Bonjour.\n", f"accueil@{neighbour.domain}")
        stage.send(stage.professional, message)
        _timeline(stage, message, "uncertain")
    finally:
        order.unlink()
    return f"timeline: {' → '.join(_timeline(stage, message, 'relayed'))}"


def refused(stage: Stage) -> str:
    """RCP-1, RCP-6: what the neighbour refuses for good comes back as a report."""
    message = stage.letter("n-refuse", "Inconnu", "Bonjour.\n", f"refuse@{stage.handout.operator.domain}")
    stage.send(stage.professional, message)
    report = stage.found(stage.professional, message, by="In-Reply-To").message
    fields = wire.report_fields(report)
    expect(fields.get("action") == "failed", f"the report says {fields.get('action')!r}")
    return f"« {report['Subject']} » · {fields.get('status')} · {fields.get('diagnostic-code')}"


def timeline(stage: Stage) -> str:
    """AUD-2, INS-7: one command tells the whole life of a message at each operator, INS masked."""
    message = stage.messages["receipt"]
    said = stage.command(stage.handout, "trace", str(message["Message-ID"]))
    expect("receipt" in said, f"the timeline does not tell the receipt: {said}")
    theirs = _timeline(stage, message, "mdn-sent", stage.handout.patient_side)
    expect("receipt-opened" in theirs, f"the opening is not told: {theirs}")
    if stage.handout.patient_operator is None:
        return " → ".join(theirs)
    ours = _timeline(stage, message, "mdn-received")
    whole = (
        f"{said} {stage.asked(stage.handout.patient_side, 'trace', message_id=str(message['Message-ID']))}"
    )
    expect(stage.patient.address.partition("@")[0] not in whole, "the timeline shows a whole INS")
    return f"ours: {' → '.join(ours)} · theirs: {' → '.join(theirs)}"


def _sent(stage: Stage, local: str, subject: str, *, receipt: bool = False) -> tuple[EmailMessage, Path]:
    """A message to this name at the neighbour's, and the file that it keeps of it."""
    neighbour = stage.handout.neighbour
    assert neighbour is not None
    message = stage.letter(f"n-{local}", subject, "Bonjour.\n", f"{local}@{neighbour.domain}")
    if receipt:
        message["Disposition-Notification-To"] = stage.professional.address
    stage.send(stage.professional, message)
    return message, _kept(stage, message)


def _kept(stage: Stage, message: EmailMessage) -> Path:
    """The one file that the neighbour keeps of a message, once it has it."""
    assert stage.handout.neighbour is not None
    folder = Path(stage.handout.neighbour.state) / "mail"
    needle = f"Message-ID: {message['Message-ID']}".encode()

    def files() -> list[Path]:
        return [path for path in wire.kept(folder) if needle in path.read_bytes()]

    eventually(lambda: bool(files()), f"the neighbour has not got {message['Subject']!r}")
    expect(len(files()) == 1, "the neighbour got it more than once")
    return files()[0]


def _timeline(stage: Stage, message: EmailMessage, until: str, gateway: Handout | None = None) -> list[str]:
    """Events of a message in the timeline of a gateway, ours unless told otherwise, once `until` is among them."""
    events: list[str] = []

    def told() -> bool:
        lines = stage.asked(gateway or stage.handout, "trace", message_id=str(message["Message-ID"]))["lines"]
        events[:] = [str(line["event"]) for line in lines]
        return until in events

    eventually(told, f"{until} is not on the timeline: {events}")
    return events


NEIGHBOUR: tuple[Step, ...] = (
    Step("We write to the independent operator, and it answers", exchange, three=True),
    Step("Its professional writes to the patient, who answers over there", with_a_patient, three=True),
    Step("What it puts off is tried again until it is taken", retried, three=True),
    Step("Its lost answer is told as uncertain, and the message is tried again", lost_answer, three=True),
    Step("What it refuses comes back as a delivery report", refused, three=True),
    Step("Its read receipt is on the timeline of the message", receipt, three=True),
    Step("Its integration error is on the timeline of the message", integration_error, three=True),
    Step("mss-gateway trace tells the whole life of a message", timeline),
)
"""Between operators, and the timeline."""
