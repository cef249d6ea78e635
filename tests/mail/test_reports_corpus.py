"""Foreign reports as they really come, well-formed and not, read to exactly what each one says (RCP-5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from mss_gateway.mail.message import Header, split_message
from mss_gateway.mail.reports import (
    ReportedDisposition,
    ReportedRecipient,
    ReportKind,
    ReportReading,
    looks_like_report,
    read_report,
)

CORPUS = Path(__file__).parents[1] / "data" / "reports"
ORIGINAL = ("<original.1@biologie.mssante.example>",)
PATIENT = "299999999999934@patient.mssante.fr"
DPI = ReportedRecipient("dpi@hopital.mssante.example", original="bal.app@hopital.mssante.example")
DPI_ALONE = ReportedRecipient("dpi@hopital.mssante.example")
OFFICE = ReportedRecipient("secretariat@cabinet.mssante.example")
FIRST, SECOND = "premier@cabinet.mssante.example", "second@cabinet.mssante.example"
CLOSED_DIAGNOSTIC = "550 5.2.1 La messagerie Mon espace Sante de votre destinataire est cloturee"
AUTO = "automatic-action/mdn-sent-automatically"
OPENED = ReportedDisposition("manual-action/mdn-sent-automatically", "displayed")
CLICKED = ReportedDisposition("manual-action/mdn-sent-manually", "displayed")
PROCESSED, FAULTY = ReportedDisposition(AUTO, "processed"), ReportedDisposition(AUTO, "processed", "error")


def _ko(
    code: str, label: str, *recipients: ReportedRecipient, originals: tuple[str, ...] = ORIGINAL
) -> ReportReading:
    """An integration error; with a recipient it came as an MDN."""
    told = FAULTY if recipients else None
    return ReportReading(ReportKind.INTEGRATION_ERROR, originals, recipients, told, code, label)


def _mdn(one: ReportedRecipient, disposition: ReportedDisposition) -> ReportReading:
    return ReportReading(ReportKind.MDN, ORIGINAL, (one,), disposition)


def _dsn(*recipients: ReportedRecipient) -> ReportReading:
    return ReportReading(ReportKind.DSN, ORIGINAL, recipients)


def _closed(one: ReportedRecipient | None = None) -> ReportReading:
    named = one or ReportedRecipient(PATIENT, "failed")
    return ReportReading(ReportKind.PATIENT_CLOSED, ORIGINAL, (named,), closed_address=PATIENT)


EXPECTED = {
    "mdn-displayed": _mdn(ReportedRecipient(PATIENT, original=PATIENT), OPENED),
    "mdn-no-boundary": _mdn(ReportedRecipient(PATIENT), OPENED),
    "mdn-wrong-boundary-and-type": _mdn(
        OFFICE, ReportedDisposition("manual-action/mdn-sent-manually", "deleted")
    ),
    "mdn-mixed-footer": _mdn(OFFICE, CLICKED),
    "mdn-plain-text": _mdn(OFFICE, CLICKED),
    "integration-ok": ReportReading(ReportKind.INTEGRATION_OK, ORIGINAL, (DPI,), PROCESSED),
    "integration-ko-mdn": _ko("902", "Identifiant patient inconnu", DPI),
    "integration-ko-all-faults": _ko(
        "902", "Identifiant de patient inconnu", DPI, originals=("<199509192301.23456>",)
    ),
    "integration-ko-no-semicolon": _ko(
        "904",
        "L'INS transmis ne correspond pas exactement",
        ReportedRecipient(
            "dpi@hopital.mssante.example", diagnostic="904^L'INS transmis ne correspond pas exactement"
        ),
    ),
    "integration-ko-base64": _ko("950", "Règle locale", DPI_ALONE),
    "integration-ko-undeclared-multipart": _ko("906", "Erreur 'Autre'", DPI_ALONE),
    "integration-ko-mixed": _ko("902", "Identifiant patient inconnu"),
    "integration-ko-nfd-plain": _ko("905", "L'INS transmis n'est pas complet"),
    "integration-ko-latin1": _ko("901", "Auteur non autorisé à remplacer ou supprimer un document"),
    "integration-ko-hl7-file": _ko("903", "INS non présent dans le document"),
    "integration-ko-mojibake": _ko(
        "900", "Version du document incorrecte lors d'une demande de remplacement/suppression"
    ),
    "dsn-two-recipients": _dsn(
        ReportedRecipient(
            "Premier@cabinet.mssante.example",
            "failed",
            "5.1.1",
            "550 5.1.1 <premier@cabinet.mssante.example>: unknown in virtual table",
            FIRST,
        ),
        ReportedRecipient(SECOND, "delayed", "4.4.1"),
    ),
    "dsn-no-blank-lines": _dsn(
        ReportedRecipient(FIRST, "failed", "5.2.2"), ReportedRecipient(SECOND, "relayed", "2.1.9")
    ),
    "dsn-utf8-address": _dsn(ReportedRecipient("josé@cabinet.mssante.example", "failed", "5.1.1")),
    "dsn-prose": _dsn(
        ReportedRecipient(
            PATIENT,
            "failed",
            "5.3.4",
            "host mx.patient.example[192.0.2.7] said: 552 5.3.4 Message size exceeds 25 Mo",
        )
    ),
    "dsn-failed-recipients": _dsn(ReportedRecipient(FIRST, "failed"), ReportedRecipient(SECOND, "failed")),
    "dsn-message-non-distribue": _dsn(),
    "dsn-plain-fields": _dsn(ReportedRecipient(FIRST, "failed", "5.4.7", "550 5.4.7 délai dépassé")),
    "dsn-spaced-fields": _dsn(
        ReportedRecipient(FIRST, "failed", "5.1.1", original=FIRST),
        ReportedRecipient(SECOND, "delivered", "2.0.0", original=SECOND),
    ),
    "closed-dsn": _closed(ReportedRecipient(PATIENT, "failed", "5.2.1", original=PATIENT)),
    "closed-plain-guillemets": _closed(),
    "closed-nfd-base64": _closed(),
    "closed-latin1-undeclared": _closed(),
    "closed-html": _closed(),
    "closed-by-diagnostic": _closed(ReportedRecipient(PATIENT, "failed", "5.2.1", CLOSED_DIAGNOSTIC)),
}
# Nothing in its header tells it from ordinary mail: only the null sender of the transaction does.
SILENT = {"mdn-mixed-footer"}


def _load(name: str) -> tuple[bytes, bytes]:
    data = (CORPUS / f"{name}.eml").read_bytes()
    at = split_message(data)
    return data[:at], data[at:]


def test_every_file_of_the_corpus_has_an_expectation() -> None:
    """A report added without saying what it says proves nothing; lines end in CRLF as on the wire."""
    assert {file.stem for file in CORPUS.glob("*.eml")} == EXPECTED.keys()
    for name in EXPECTED:
        data = b"".join(_load(name))
        assert data.count(b"\n") == data.count(b"\r\n")


@pytest.mark.req("RCP-5")
@pytest.mark.parametrize("name", EXPECTED)
def test_a_foreign_report_is_read_to_what_it_says(name: str) -> None:
    """Kind, originals, recipients, disposition, code, label and closed address, all of them."""
    header, text = _load(name)
    assert read_report(header, text) == EXPECTED[name]


@pytest.mark.req("RCP-5")
@pytest.mark.parametrize("name", EXPECTED)
def test_the_header_alone_announces_it(name: str) -> None:
    """The cheap look never turns away what the reading would recognise, given the null sender or not."""
    header = Header(_load(name)[0])
    assert looks_like_report(header, sender_null=True)
    assert looks_like_report(header, sender_null=False) is (name not in SILENT)


@pytest.mark.req("RCP-5")
@pytest.mark.parametrize("name", EXPECTED)
def test_bare_line_feeds_change_nothing(name: str) -> None:
    """The same report as a client appends it."""
    header, text = _load(name)
    assert read_report(header.replace(b"\r\n", b"\n"), text.replace(b"\r\n", b"\n")) == EXPECTED[name]


@pytest.mark.req("RCP-5", "AUD-5")
@pytest.mark.parametrize("name", EXPECTED)
def test_a_repr_never_shows_the_patient(name: str) -> None:
    """The INS is in the values and in no repr, which is what ends in logs."""
    reading = read_report(*_load(name))
    assert reading is not None
    assert PATIENT[:15] not in repr(reading)
    assert all(PATIENT[:15] not in repr(one) for one in reading.recipients)
