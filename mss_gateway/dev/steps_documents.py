"""Steps of the tour with a health document: built and sent by command, opened, and refused for another patient."""

from __future__ import annotations

import json
from pathlib import Path

from . import wire
from .tour import Stage, Step, expect, expect_refusal

PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\nxref\n0 4\n0000000000 65535 f \n"
    b"0000000009 00000 n \n0000000052 00000 n \n0000000101 00000 n \ntrailer<</Size 4/Root 1 0 R>>\n"
    b"startxref\n164\n%%EOF\n"
)
"""An empty page."""

LABORATORY_REPORT = "11502-2"
ARCHIVE = "IHE_XDM.zip"


def document_sent(stage: Stage) -> str:
    """BAL-4, BAL-8, INS-6: one command builds the IHE_XDM archive and submits it as the applicative mailbox."""
    folder = Path(stage.handout.state)
    pdf = folder / "bilan.pdf"
    pdf.write_bytes(PDF)
    app = stage.handout.app
    words = ["document", "send", str(pdf), "--from", app.address, "--to", stage.patient.address]
    words += ["--type", LABORATORY_REPORT, "--title", "Bilan sanguin", "--receipt"]
    words += ["--author-family", "EXEMPLE", "--author-given", "Médecin"]
    words += ["--reply-to", stage.professional.address, "--certificate", app.cert, "--key", app.key, "--json"]
    said = json.loads(stage.command(stage.handout, *words))
    stored = wire.awaited(stage.handout, stage.patient, "Message-ID", said["message_id"], opened=False)
    stage.messages["document"] = stored.message
    names = [name for part in stored.message.walk() if (name := part.get_filename())]
    expect(ARCHIVE in names, f"the patient has no {ARCHIVE}, but {names}")
    subject = str(stored.message["Subject"])
    expect(subject.startswith("XDM/1.0/DDM+"), f"the subject is {subject!r}")
    return f"« {subject} » with {', '.join(names)} · {said['reply']}"


def document_opened(stage: Stage) -> str:
    """RCP-2: the patient opens it, twice; the software that sent it gets one read receipt."""
    document, app = stage.messages["document"], stage.handout.app
    expect(not stage.all(app, document, by="In-Reply-To"), "a receipt before the opening")
    stage.read(stage.patient, document)
    report = stage.found(app, document, by="In-Reply-To").message
    disposition = wire.report_fields(report).get("disposition", "")
    expect(disposition.endswith("displayed"), f"the receipt says {disposition!r}")
    stage.found(stage.patient, document, lambda found: "$MDNSent" in found.flags)
    stage.read(stage.patient, document)
    answer = stage.reply("document-answer", document, stage.patient.address, "Merci.\n")
    stage.send(stage.patient, answer)
    stage.found(stage.professional, answer)
    count = len(stage.all(app, document, by="In-Reply-To"))
    expect(count == 1, f"{count} receipts for one document")
    return f"« {report['Subject']} » in {app.address} · opened twice, one receipt"


def document_shown(stage: Stage) -> str:
    """INS-6: what the patient has got can be explained, and is good."""
    file = Path(stage.handout.state) / "document.eml"
    file.write_bytes(wire.octets(stage.messages["document"]))
    told = json.loads(stage.command(None, "document", "show", str(file), "--json"))
    expect(told["good"] is True, f"not good: {told}")
    checks = [check["text"] for archive in told["archives"] for check in archive["checks"]]
    return " · ".join(checks)[:200]


def wrong_patient(stage: Stage) -> str:
    """INS-6: the same archive to another patient is refused before it leaves."""
    other = stage.handout.patients.not_activated
    document = wire.parsed(wire.octets(stage.messages["document"]))
    for field in ("To", "Message-ID"):
        del document[field]
    document["To"], document["Message-ID"] = other, stage.letter("wrong-patient", "x", "x\n")["Message-ID"]
    return expect_refusal(
        lambda: wire.submit_external(stage.handout, stage.handout.app, document),
        "550",
        "5.7.1",
        "METADATA.XML",
    )


DOCUMENTS: tuple[Step, ...] = (
    Step("Software sends a document to the patient with one command", document_sent),
    Step("The patient opens it: one read receipt for the software", document_opened),
    Step("mss-gateway document show explains what the patient has got", document_shown),
    Step("The same archive to another patient is refused", wrong_patient),
)
"""A document on its way."""
