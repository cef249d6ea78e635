"""What is no report stays none, whatever words it quotes; and what subjects and senders announce one (RCP-5)."""

from __future__ import annotations

import unicodedata
from base64 import b64encode
from pathlib import Path

import pytest

from mss_gateway.mail.message import Header
from mss_gateway.mail.reports import ReportKind, looks_like_report, read_report

CORPUS = Path(__file__).parents[1] / "data" / "reports"
PATIENT = "299999999999934@patient.mssante.fr"
DOCTOR = "medecin@cabinet.mssante.example"
SENTENCE = (
    f'Le message que vous avez envoyé à "{PATIENT}" n\'a pas pu être distribué car la messagerie '
    "Mon espace Santé de votre destinataire est clôturée"
)
FIELDS = (
    f"Final-Recipient: rfc822; {PATIENT}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    "Disposition: manual-action/MDN-sent-manually; displayed\r\n"
)
QUOTED = "".join(f"> {line}\r\n" for line in (SENTENCE, *FIELDS.splitlines()))


def _letter(subject: str, text: str, *, sender: str = DOCTOR, more: str = "") -> tuple[bytes, bytes]:
    header = (
        f"From: <{sender}>\r\nTo: <{DOCTOR}>\r\nSubject: {subject}\r\nMessage-ID: <1@x.example>\r\n{more}\r\n"
    )
    return header.encode(), text.encode()


def _forwarded(subject: str) -> tuple[bytes, bytes]:
    """A person sends a report on, as an attached message or with its parts spread out."""
    report = (CORPUS / "dsn-two-recipients.eml").read_bytes()
    text = (
        b"--f\r\n\r\nPour information.\r\n--f\r\nContent-Type: message/rfc822\r\n\r\n"
        + report
        + b"\r\n--f--\r\n"
    )
    header, _ = _letter(subject, "", more="Content-Type: multipart/mixed; boundary=f\r\n")
    return header, text


def _spread(subject: str) -> tuple[bytes, bytes]:
    text = f"--f\r\n\r\nVoir.\r\n--f\r\nContent-Type: message/delivery-status\r\n\r\n{FIELDS}--f--\r\n"
    return _letter(subject, text, more="Content-Type: multipart/mixed; boundary=f\r\n")


ORDINARY = {
    "a letter that speaks of a closed mailbox": _letter(
        "Suivi de Mme Essai", "Sa messagerie est clôturée, elle n'a pas pu être jointe.\r\n"
    ),
    "a letter that quotes the sentence whole": _letter(
        "Messagerie du patient", f"Bonjour,\r\n\r\n{SENTENCE}.\r\n"
    ),
    "a patient's reply to a bounce": _letter(
        "Re: Undelivered Mail Returned to Sender",
        f"Que dois-je faire ?\r\n\r\n{QUOTED}",
        sender=PATIENT,
        more="In-Reply-To: <bounce@x.example>\r\n",
    ),
    "a reply that quotes without marks": _letter(
        "RE: Message non distribué", f"Bonjour\r\n{SENTENCE}\r\n{FIELDS}"
    ),
    "a reply to an integration error": _letter(
        "Re : [KO Intégration système !][902] XDM", "C'est corrigé.\r\n"
    ),
    "a forwarded integration error": _letter(
        "TR: [KO Intégration système !][902] XDM", "Pour information.\r\n"
    ),
    "a letter with the prefix in the middle": _letter(
        "Question sur [KO Intégration système !]", "Bonjour\r\n"
    ),
    "a newsletter": _letter(
        "Actualités de la messagerie : message non lu",
        f"Une boîte clôturée ? {SENTENCE}\r\n{FIELDS}",
        sender="ne-pas-repondre@lettre.mssante.example",
        more="Auto-Submitted: no\r\nPrecedence: bulk\r\n",
    ),
    "an absence notice": _letter(
        "Absence du cabinet",
        f"Le cabinet est fermé.\r\n\r\n{QUOTED}",
        more="Auto-Submitted: auto-replied\r\n",
    ),
    "an application's result with a field-like line": _letter(
        "XDM/1.0/DDM+CR ESSAI Camille",
        "Disposition : retour à domicile\r\nStatus: 5.1.1\r\n",
        sender="no-reply@labo.mssante.example",
    ),
    "a report sent on as an attachment": _forwarded("TR: Undelivered Mail Returned to Sender"),
    "a report sent on without saying so": _forwarded("Pour information"),
    "a report sent on in its parts": _spread("Fwd: Document"),
    "a person's question about a bounce": _letter("Message non distribué", "Que veut dire ce message ?\r\n"),
    "an empty message": (b"", b""),
    "an end mark": _letter("[FIN]", ""),
}


@pytest.mark.req("RCP-5")
@pytest.mark.parametrize("what", ORDINARY)
def test_ordinary_mail_is_no_report(what: str) -> None:
    """Words alone make no report: a person wrote them."""
    assert read_report(*ORDINARY[what]) is None


@pytest.mark.req("RCP-5")
@pytest.mark.parametrize(
    "what", ["a letter that speaks of a closed mailbox", "a patient's reply to a bounce"]
)
def test_ordinary_mail_is_not_even_read(what: str) -> None:
    """The cheap look says no."""
    assert not looks_like_report(Header(ORDINARY[what][0]), sender_null=False)


KO = "[KO Intégration système !]"
ERROR = "[Erreur d’intégration !]"
SUBJECTS = [
    KO,
    unicodedata.normalize("NFD", KO),
    KO.upper(),
    "[KO Integration systeme !]",
    "[KO Intégration système\u202f!]",
    "[ KO  Intégration  système ]",
    "=?utf-8?Q?[KO_Int=C3=A9gration_syst=C3=A8me_!]?=",
    "=?iso-8859-1?Q?=5BKO_Int=E9gration_syst=E8me_!=5D?=",
    "=?utf-8?B?" + b64encode(KO.encode()).decode() + "?=",
    "=?utf-8?Q?[KO_Int=C3?=\r\n =?utf-8?Q?=A9gration_syst=C3=A8me_!]?=",
    ERROR,
    unicodedata.normalize("NFD", ERROR),
    ERROR.replace("’", "'"),
    ERROR.replace("’", "ʼ"),
    ERROR.replace("’", "' "),
    "[Externe] " + KO,
]


@pytest.mark.req("RCP-5")
@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize(
    ("tail", "code"),
    [
        ("", ""),
        ("[902] XDM/1.0/DDM+CR", "902"),
        (" [ 906 ] XDM", "906"),
        ("[code erreur 951]", "951"),
        ("[x] y", ""),
    ],
)
def test_an_integration_error_is_known_by_its_subject(subject: str, tail: str, code: str) -> None:
    """Any form of accents, apostrophes, blanks and encoding; unknown codes as well."""
    header, text = _letter(subject + (" " if subject.endswith("?=") else "") + tail, "Voir l'objet.\r\n")
    assert looks_like_report(Header(header), sender_null=False)
    reading = read_report(header, text)
    assert reading is not None
    assert (reading.kind, reading.code) == (ReportKind.INTEGRATION_ERROR, code)


def test_latin1_subjects_are_read_as_well() -> None:
    """Raw octets in a header, of the charset that old software writes."""
    header = b"Subject: " + KO.encode("latin-1") + b"[902]\r\n\r\n"
    reading = read_report(header, b"")
    assert reading is not None
    assert reading.code == "902"


FORMS = {
    "quotes": SENTENCE,
    "guillemets": SENTENCE.replace(f'"{PATIENT}"', f"«\u202f{PATIENT}\u202f»"),
    "typographic": SENTENCE.replace(f'"{PATIENT}"', f"“{PATIENT}”").replace("'", "’"),
    "bare": SENTENCE.replace('"', ""),
    "angle": SENTENCE.replace(f'"{PATIENT}"', f"<{PATIENT}>"),
    "small s": SENTENCE.replace("Santé", "santé"),
    "NFD": unicodedata.normalize("NFD", SENTENCE),
    "no accents": "".join(c for c in unicodedata.normalize("NFD", SENTENCE) if not unicodedata.combining(c)),
    "folded lines": SENTENCE.replace(" ", "\r\n", 5),
    "capitals": SENTENCE.upper().replace(PATIENT.upper(), PATIENT),
    "question marks": SENTENCE.encode("ascii", "replace").decode(),
}
SIGNS = {
    "null sender": ("Avis", DOCTOR, "", True),
    "return path": ("Avis", DOCTOR, "Return-Path: <>\r\n", False),
    "Auto-Submitted": ("Avis", DOCTOR, "Auto-Submitted: auto-generated (mes)\r\n", False),
    "sender": ("Avis", "reponse.automatique@patient.mssante.fr", "", False),
    "daemon": ("Avis", "MAILER-DAEMON@x.example", "", False),
    "subject": ("Message non distribué", DOCTOR, "", False),
}


@pytest.mark.req("RCP-5")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sign", SIGNS)
def test_a_closed_mailbox_is_known_by_its_sentence(form: str, sign: str) -> None:
    """Any form of the sentence, with any one sign that a machine wrote it."""
    subject, sender, more, null = SIGNS[sign]
    header, text = _letter(subject, f"Bonjour,\r\n\r\n{FORMS[form]}.\r\n", sender=sender, more=more)
    assert looks_like_report(Header(header), sender_null=null)
    reading = read_report(header, text, sender_null=null)
    assert reading is not None
    assert (reading.kind, reading.closed_address) == (ReportKind.PATIENT_CLOSED, PATIENT)


def test_a_corsican_address_keeps_its_letters() -> None:
    """An INS may hold 2A or 2B (domain 13.1); the address comes back as it was written."""
    address = "19912A999999934@patient.mssante.fr"
    header, text = _letter("Message non distribué", SENTENCE.replace(PATIENT, address))
    reading = read_report(header, text)
    assert reading is not None
    assert reading.closed_address == address


def test_a_bounce_of_a_receipt_is_a_bounce() -> None:
    """The receipt within it is not what is reported here, but what it is about."""
    receipt = (CORPUS / "mdn-displayed.eml").read_bytes()
    text = (
        b"--f\r\n\r\nFailed.\r\n--f\r\nContent-Type: message/delivery-status\r\n\r\n"
        b"Final-Recipient: rfc822; a@b.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
        b"--f\r\nContent-Type: message/rfc822\r\n\r\n" + receipt + b"\r\n--f--\r\n"
    )
    header = (
        b"Subject: Failure\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=f\r\n\r\n"
    )
    reading = read_report(header, text)
    assert reading is not None
    assert reading.kind is ReportKind.DSN
    assert reading.originals == ("<rapport.1@hopital.mssante.example>",)
