"""The fields of reports in every form that domain 11.3 lists, one at a time (RCP-5)."""

from __future__ import annotations

from base64 import encodebytes
from quopri import encodestring
from unicodedata import normalize

import pytest

from mss_gateway.mail.reports import ReportKind, ReportReading, read_report

MDN, KO, OK = ReportKind.MDN, ReportKind.INTEGRATION_ERROR, ReportKind.INTEGRATION_OK
AUTO = "automatic-action/mdn-sent-automatically"
RPT = b"Subject: Avis\r\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n"


def _read(fields: str, *, more: bytes = b"", text: str = "Avis.", tail: str = "") -> ReportReading:
    """An MDN with these fields, else well formed."""
    body = (
        f"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
        f"--b\r\nContent-Type: message/disposition-notification\r\n\r\n{fields}\r\n{tail}\r\n--b--\r\n"
    )
    reading = read_report(RPT + more + b"\r\n", body.encode())
    assert reading is not None
    return reading


DISPOSITIONS = [
    ("manual-action/MDN-sent-manually; displayed", MDN, "displayed", "", "", ""),
    ("manual-action / MDN-sent-manually ;Displayed ", MDN, "displayed", "", "", ""),
    ("automatic-action/MDN-sent-automatically; dispatched", MDN, "dispatched", "", "", ""),
    ("manual-action/MDN-sent-manually; displayed/error", MDN, "displayed", "error", "", ""),
    ("automatic-action/MDN-sent-automatically; processed", OK, "processed", "", "", ""),
    ("automatic-action/MDN-sent-automatically processed", OK, "processed", "", "", ""),
    ("processed", OK, "processed", "", "", ""),
    ("automatic-action/MDN-sent-automatically; processed/error", KO, "processed", "error", "", ""),
    ("a-action/b; processed/Error: 903^INS absent", KO, "processed", "error", "903", "INS absent"),
    ("a-action/b; processed/Error:903^INS absent", KO, "processed", "error", "903", "INS absent"),
    ("a-action/b; processed / error 903 - INS absent.", KO, "processed", "error", "903", "INS absent"),
    (
        "a-action/b; processed/Error: 903^INS absent^tab| E^Error^x",
        KO,
        "processed",
        "error",
        "903",
        "INS absent",
    ),
    (
        "a-action/b; processed/Error: 903|E",
        KO,
        "processed",
        "error",
        "903",
        "INS non présent dans le document",
    ),
    ("a-action/b; processed/Error: code erreur 951^Autre cas", KO, "processed", "error", "951", "Autre cas"),
    ("a-action/b; processed/Error: 2 identités", KO, "processed", "error", "", "2 identités"),
    ("a-action/b; processed/Error: code erreur^libellé", KO, "processed", "error", "", "code erreur"),
    (
        "a-action/b;\r\n processed/Error:\r\n\t906^Erreur\r\n 'Autre'",
        KO,
        "processed",
        "error",
        "906",
        "Erreur 'Autre'",
    ),
    (
        "a-action/b; processed/Error: Identifiant de patient inconnu",
        KO,
        "processed",
        "error",
        "902",
        "Identifiant de patient inconnu",
    ),
    (
        "a-action/b; processed/Error: =?utf-8?Q?907^Cas_d=C3=A9crit?=",
        KO,
        "processed",
        "error",
        "907",
        "Cas décrit",
    ),
]


@pytest.mark.req("RCP-5")
@pytest.mark.parametrize(("value", "kind", "done", "modifier", "code", "label"), DISPOSITIONS)
@pytest.mark.parametrize("colon", [": ", ":", " : ", ":\r\n "])
def test_a_disposition_is_read(
    colon: str, value: str, kind: ReportKind, done: str, modifier: str, code: str, label: str
) -> None:
    """With and without blanks, semicolon, code, label, HL7 tail and folds."""
    reading = _read(f"Final-Recipient: rfc822;a@b.example\r\nDisposition{colon}{value}\r\n")
    told = reading.disposition
    assert told is not None
    assert (reading.kind, told.type, told.modifier) == (kind, done, modifier)
    assert (reading.code, reading.label) == (code, label)


def test_the_mode_is_read_without_blanks_and_case() -> None:
    """So that it can be compared."""
    for value in (
        "Automatic-action/MDN-sent-automatically ; processed",
        "automatic-action / MDN-sent-automatically processed",
    ):
        told = _read(f"Disposition:{value}\r\n").disposition
        assert told is not None
        assert told.mode == AUTO


ADDRESSES = {
    "rfc822;a@b.example": "a@b.example",
    "rfc822; a@b.example": "a@b.example",
    "RFC822 ;\r\n a@b.example": "a@b.example",
    "a@b.example": "a@b.example",
    "<a@b.example>": "a@b.example",
    "rfc822; Nom <a@b.example>": "a@b.example",
    "rfc822;a@b.example (parti)": "a@b.example",
    "utf-8; jos\\x{E9}@b.example": "josé@b.example",
    "utf-8; \\x{D800}\\x{FFFFFF}@b.example": "??@b.example",
    'rfc822;"a.b"@c.example': '"a.b"@c.example',
}


@pytest.mark.req("RCP-5")
@pytest.mark.parametrize("written", ADDRESSES)
def test_a_recipient_is_read(written: str) -> None:
    """With and without type, blank, brackets and comment."""
    reading = _read(f"Final-Recipient: {written}\r\nDisposition: a-action/b; displayed\r\n")
    assert [one.address for one in reading.recipients] == [ADDRESSES[written]]


IDS = {
    "<1@b.example>": ("<1@b.example>",),
    "<199509192301.23456 >": ("<199509192301.23456>",),
    "< 1@b.example >": ("<1@b.example>",),
    "<1@b\r\n .example>": ("<1@b.example>",),
    "1@b.example": ("1@b.example",),
    "<1@b.example> (copie)": ("<1@b.example>",),
}


@pytest.mark.req("RCP-5")
@pytest.mark.parametrize("written", IDS)
def test_an_original_is_read(written: str) -> None:
    """White space inside, missing brackets and comments do not hide which message it was."""
    reading = _read(f"Original-Message-ID:{written}\r\nDisposition: a-action/b; displayed\r\n")
    assert reading.originals == IDS[written]


@pytest.mark.req("RCP-5")
def test_the_original_is_looked_for_in_five_places_in_order() -> None:
    """The field, the enclosed message, the header quoted in the text, In-Reply-To, the last of References."""
    fields = "Disposition: a-action/b; displayed\r\n"
    enclosed = "--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <2@x>\r\n"
    quoted = "Copie :\r\nMessage-ID: <3@x>"
    header = b"References: <6@x> <5@x>\r\n"
    answer = b"In-Reply-To: Votre message <4@x>\r\n" + header
    assert _read("Original-Message-ID: <1@x>\r\n" + fields, tail=enclosed).originals == ("<1@x>",)
    assert _read("Original-Message-ID: <>\r\n" + fields, tail=enclosed).originals == ("<2@x>",)
    assert _read(fields, tail=enclosed, text=quoted, more=answer).originals == ("<2@x>",)
    assert _read(fields, text=quoted, more=answer).originals == ("<3@x>",)
    assert _read(fields, more=answer).originals == ("<4@x>",)
    assert _read(fields, more=header).originals == ("<5@x>",)
    assert _read(fields).originals == ()


PROSE = {
    "Code erreur : 902 - Patient inconnu ici": ("902", "Patient inconnu ici"),
    "code 955": ("955", ""),
    "902^Patient inconnu^table|E": ("902", "Patient inconnu"),
    "pour la raison suivante : L’INS transmis n’est pas complet": ("905", "L’INS transmis n’est pas complet"),
    "pour la raison suivante : 906^Erreur 'Autre'": ("906", "Erreur 'Autre'"),
    "pour la raison suivante :\r\nAuteur inconnu du service": ("", "Auteur inconnu du service"),
    "> code 902": ("", ""),
    "Voir 207^Application error^HL70357 et 904^INS différent": ("904", "INS différent"),
    "Voir 101^Required field missing et 904^INS différent": ("904", "INS différent"),
    "pour la raison suivante : "
    + normalize("NFD", "Auteur non autorisé à remplacer ou supprimer un document"): (
        "901",
        normalize("NFD", "Auteur non autorisé à remplacer ou supprimer un document"),
    ),
    "Le message n'a pas pu être intégré pour la raison suivante : Identifiant patient inconnu\r\nCordialement": (
        "902",
        "Identifiant patient inconnu",
    ),
    "Le message n'a pas pu être intégré pour la raison suivante : règle du\r\nservice d'accueil": (
        "",
        "règle du service d'accueil",
    ),
    "pour la raison suivante : Motif court\r\nCordialement": ("", "Motif court"),
    "Dossier 123456789012345^NOM^PRENOM": ("", ""),
}


@pytest.mark.req("RCP-5")
@pytest.mark.parametrize("text", PROSE)
@pytest.mark.parametrize(
    ("charset", "declared"),
    [("utf-8", "utf-8"), ("utf-8", ""), ("cp1252", "iso-8859-1"), ("cp1252", ""), ("utf-8", "iso-8859-1")],
)
@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64", ""])
@pytest.mark.parametrize("name", ["Content-Transfer-Encoding", "Content-Transfert-Encoding"])
def test_a_code_is_found_in_prose(text: str, charset: str, declared: str, encoding: str, name: str) -> None:
    """Code and label where only a person was meant to read them, in any charset and encoding, declared or not."""
    expected = (PROSE[text][0], normalize("NFC", PROSE[text][1]))
    if charset == "cp1252":
        text = normalize("NFC", text)  # it has no combining marks
    data = text.encode(charset)
    if encoding == "base64":
        data = encodebytes(data)
    elif encoding == "quoted-printable":
        data = encodestring(data)
    header = "Subject: [KO Intégration système !]\r\n"
    header += f"Content-Type: text/plain{'; charset=' if declared else ''}{declared}\r\n"
    header += f"{name}: {encoding}\r\n" if encoding else ""
    reading = read_report(header.encode() + b"\r\n", data)
    assert reading is not None
    assert (reading.code, normalize("NFC", reading.label)) == expected


@pytest.mark.req("RCP-5")
def test_the_subjects_code_meets_the_published_label() -> None:
    """When nobody says the label, the table does; the sender's own words come first."""
    bare = read_report("Subject: [KO Intégration système !][904]\r\n\r\n".encode(), b"")
    assert bare is not None
    assert bare.label.startswith("L'INS transmis ne correspond pas exactement")
    told = read_report("Subject: [KO Intégration système !][904]\r\n\r\n".encode(), b"904^Mauvais INS")
    assert told is not None
    assert told.label == "Mauvais INS"


@pytest.mark.req("RCP-5")
def test_a_receipt_for_an_error_mail_is_only_a_receipt() -> None:
    """A reader's software may repeat the subject of the error mail that was read."""
    body = (
        b"--b\r\nContent-Type: message/disposition-notification\r\n\r\nDisposition: a-action/b; displayed\r\n"
    )
    reading = read_report("Subject: [KO Intégration système !][904]\r\n".encode() + RPT[15:] + b"\r\n", body)
    assert reading is not None
    assert reading.kind is MDN


@pytest.mark.req("RCP-5")
@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("", "Code erreur : 902 - Patient d=C3=A9c=\r\nrit ailleurs\r\n"),
        (
            "Content-Type: multipart/mixed; boundary=b\r\n",
            "--b\r\nMotif: code 902 - Patient décrit ailleurs\r\n\r\nBonjour\r\n--b--\r\n",
        ),
        (
            "Content-Type: text/plain\r\n",
            "--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + encodebytes("902^Patient décrit ailleurs".encode()).decode()
            + "--b--\r\n",
        ),
    ],
    ids=["quoted-printable unsaid", "a text whose first line looks like a field", "multipart unsaid"],
)
def test_what_the_writer_forgot_to_say_is_guessed(header: str, text: str) -> None:
    """An encoding, a part's header and the multipart itself, each left out."""
    reading = read_report(f"Subject: [KO Intégration système !]\r\n{header}\r\n".encode(), text.encode())
    assert reading is not None
    assert (reading.code, reading.label) == ("902", "Patient décrit ailleurs")
