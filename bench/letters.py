"""Letters as hospitals write them, for the cases of retrieval: French, of several parts, made by lot from a seed."""

from __future__ import annotations

import base64
import quopri
import random
from collections.abc import Iterator

RARE_WORD = "zolédronique"
"""A word of the text of one letter in a thousand, and of nothing else."""

RARE_SUBJECT = "bilan préopératoire"
"""In the subject of one letter in a hundred."""

_TEXT = (
    "patient patiente consultation bilan sanguin glycémie contrôle tension artérielle traitement poursuivi amélioration"
    " nette douleur thoracique échographie cardiaque normale fraction éjection conservée ordonnance renouvelée prochain"
    " rendez-vous semaines compte rendu hospitalisation sortie domicile infirmière pansement cicatrisation complète"
    " surveillance température antibiotique posologie matin soir allergie connue pénicilline antécédents familiaux"
    " diabète hypertension radiographie poumon épanchement absence fracture genou droit gauche kinésithérapie séances"
)
_WORDS = _TEXT.split()
_QP = "Content-Transfer-Encoding: quoted-printable"
_NAMES = ("Alix Martin", "Camille Durand", "Hélène Lefèvre", "Noël Bérard", "Inès Garnier", "Loïc Perrin")


def letters(count: int, sender: str, recipient: str, seed: str = "letters") -> Iterator[bytes]:
    """Whole messages of about 5 KB: plain text, both texts, or a text with a document, in turns."""
    dice = random.Random(seed)
    for number in range(count):
        yield _letter(dice, number, sender, recipient)


def _letter(dice: random.Random, number: int, sender: str, recipient: str) -> bytes:
    text = "\r\n\r\n".join(_sentence(dice) for _ in range(6))
    if number % 1000 == 7:
        text += f"\r\n\r\nPerfusion d'acide {RARE_WORD} bien tolérée."
    subject = f"Compte rendu {number} {dice.choice(_WORDS)}"
    if number % 100 == 3:
        subject = f"{RARE_SUBJECT} {number}"
    name = dice.choice(_NAMES)
    head = (
        f"Received: from mx.exemple.mssante.fr by mail.exemple.mssante.fr with ESMTPS id {number:08x};\r\n"
        f"\tMon, 5 Jan 2026 10:00:00 +0100\r\n"
        f"Date: Mon, {1 + number % 28} Jan 2026 10:{number % 60:02}:00 +0100\r\nFrom: {_encoded(name)} <{sender}>\r\n"
        f"To: <{recipient}>\r\nCc: {_encoded(dice.choice(_NAMES))} <copie@exemple.mssante.fr>\r\n"
        f"Subject: {_encoded(subject)}\r\nMessage-ID: <lettre-{number}@exemple.mssante.fr>\r\n"
        "User-Agent: Logiciel\r\nMIME-Version: 1.0\r\n"
    )
    return (head + _body(dice, number % 3, number, text)).encode("ascii")


def _sentence(dice: random.Random) -> str:
    return " ".join(dice.choices(_WORDS, k=40)).capitalize() + "."


def _encoded(text: str) -> str:
    return text if text.isascii() else f"=?utf-8?b?{base64.b64encode(text.encode()).decode()}?="


def _quoted(text: str) -> str:
    lines = quopri.encodestring(text.encode()).decode().splitlines()
    return "\r\n".join(lines) + "\r\n"


def _plain(text: str) -> str:
    return f"Content-Type: text/plain; charset=utf-8\r\n{_QP}\r\n\r\n{_quoted(text)}"


def _body(dice: random.Random, kind: int, number: int, text: str) -> str:
    if kind == 0:
        return _plain(text)
    mark = f"limite-{number}"
    if kind == 1:
        page = (
            "<html><body>" + "".join(f"<p>{line}</p>" for line in text.split("\r\n\r\n")) + "</body></html>"
        )
        html = f"Content-Type: text/html; charset=utf-8\r\n{_QP}\r\n\r\n{_quoted(page)}"
        return (
            f'Content-Type: multipart/alternative; boundary="{mark}"\r\n\r\n--{mark}\r\n{_plain(text)}'
            f"\r\n--{mark}\r\n{html}\r\n--{mark}--\r\n"
        )
    octets = base64.encodebytes(dice.randbytes(2400)).decode().replace("\n", "\r\n")
    return (
        f'Content-Type: multipart/mixed; boundary="{mark}"\r\n\r\n--{mark}\r\n{_plain(text)}\r\n--{mark}\r\n'
        f'Content-Type: application/pdf; name="cr-{number}.pdf"\r\nContent-Transfer-Encoding: base64\r\n'
        f'Content-Disposition: attachment; filename="cr-{number}.pdf"\r\n\r\n{octets}--{mark}--\r\n'
    )
