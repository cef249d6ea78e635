"""The words by which reports are known, whatever their accents, apostrophes and charset (RCP-5, domain 11, 13.3)."""

from __future__ import annotations

import re
import unicodedata
from enum import Enum

from .words import codec_of, decode_words

MAX_PROSE = 64 * 1024
"""Characters of one readable part that are looked at."""

_MAX_SUBJECT = 2000  # octets of a subject that are decoded
_MAX_TRIES = 20  # places of one text where the sentence is tried


def _plain_letters() -> dict[int, str | None]:
    """A fixed table instead of `unicodedata.normalize`, which is quadratic on long runs of combining marks."""
    table: dict[int, str | None] = dict.fromkeys(range(0x300, 0x370))
    for point in range(0xA8, 0x180):
        bare = "".join(c for c in unicodedata.normalize("NFKD", chr(point)) if not unicodedata.combining(c))
        if bare.isascii() and bare.isalpha():
            table[point] = bare.lower()
    table |= dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\xad"))
    table |= dict.fromkeys(map(ord, "’‘‛ʼʹ′´`＇"), "'")
    table |= dict.fromkeys(map(ord, "«»“”„‟″‹›"), '"')
    return table | {0x152: "oe", 0x153: "oe"}


_PLAIN = _plain_letters()
_SPACES = re.compile(r"\s++")


def plain(text: str) -> str:
    """Return text for comparison: lower case, no accents in NFC or NFD, one form of quotes, single blanks."""
    return _SPACES.sub(" ", text.translate(_PLAIN).lower()).strip()


class SubjectMark(Enum):
    """What a subject announces; REPLY is a person's `Re:` or `Tr:`, whatever comes after it."""

    NONE = "none"
    REPLY = "reply"
    INTEGRATION = "integration"
    FAILURE = "failure"
    RECEIPT = "receipt"


# `.{1,3}` stands for an accented letter, also one that a wrong charset or a `?` has spoilt.
_REPLY = re.compile(r"(?:re|ref|rep|aw|tr|fw|fwd|wg) ?(?:\[\d{1,4}\] ?)?:")
_INTEGRATION = re.compile(
    r"(?:\[[^\[\]]{0,30}\] ?)?\[ ?(?:ko|erreur) ?(?:d.{1,3})??int.{1,3}gration(?: syst.{1,3}me)? ?!? ?\]"
    r"(?: ?\[ ?(?:code)?(?: ?d.{1,3})??(?: ?erreur)? ?:? ?([a-z0-9_.-]{1,20}) ?\])?"
)
_FAILURE = re.compile(
    r"(?:undeliver|mail delivery (?:fail|system|subsystem)|delivery (?:status )?(?:notif|fail|delay)|returned mail"
    r"|failure notice|warning: could not send|warning: message|delayed mail|mail system error"
    r"|(?:votre )?(?:message|courriel|mail) (?:non[ -]?(?:remis|distribu|d.{1,3}livr)|retard|n.{1,3}a pas pu)"
    r"|non[ -]?(?:remis|distribu|d.{1,3}livr)|.{1,3}chec (?:de (?:la )?)?(?:remise|distrib|livrais|d.{1,3}livr|d'envoi)"
    r"|notification d'.{1,3}tat)"
)
_RECEIPT = re.compile(
    r"(?:lu|read|affich.{1,3}|displayed|not read|non lu) ?:|return receipt|read receipt"
    r"|accus.{1,3} de (?:lec|rec|r.{1,3}c)|disposition notif|message disposition"
)


def subject_mark(raw: bytes | None) -> tuple[SubjectMark, str]:
    """Return what an unfolded subject announces, and the error code of an integration error or nothing."""
    if not raw:
        return SubjectMark.NONE, ""
    text = plain(decode_words(raw[:_MAX_SUBJECT]))
    found = _INTEGRATION.match(text)
    if found:
        code = found[1] or ""
        return SubjectMark.INTEGRATION, code.upper() if any(map(str.isdigit, code)) else ""
    for mark, pattern in (
        (SubjectMark.REPLY, _REPLY),
        (SubjectMark.FAILURE, _FAILURE),
        (SubjectMark.RECEIPT, _RECEIPT),
    ):
        if pattern.match(text):
            return mark, ""
    return SubjectMark.NONE, ""


_TAG = re.compile(r"<[^<>]*+>")
_HIDDEN = re.compile(r"<(style|script|head)\b", re.IGNORECASE)
_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/li|/h\d)\b[^<>]*+>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#(\d{1,7})|#[xX]([0-9A-Fa-f]{1,6})|([A-Za-z]{2,8}));")
_ACCENTED = re.compile(r"([A-Za-z])(acute|grave|circ|uml|cedil|tilde)")
_ACCENTS = {
    "grave": "\u0300",
    "acute": "\u0301",
    "circ": "\u0302",
    "tilde": "\u0303",
    "uml": "\u0308",
    "cedil": "\u0327",
}
_NAMES = "nbsp amp lt gt quot apos laquo raquo lsquo rsquo ldquo rdquo oelig ndash mdash"
_NAMED = dict(zip(_NAMES.split(), " &<>\"'«»‘’“”œ–—", strict=True))
_QUOTED = re.compile(r"^[ \t]*+[>|][^\n]*+\n?", re.MULTILINE)
_UNICODE = ("utf_16", "utf_32", "iso2022", "hz", "utf_7")


def decode_text(data: bytes, charset: bytes | None) -> str:
    """Return octets as text: UTF-8 wherever they are, else what was declared, else Windows-1252. Never raises."""
    data = data[: 4 * MAX_PROSE]
    codec = codec_of(charset.decode("latin-1")) if charset else None
    if codec and codec.startswith(_UNICODE):
        return data.decode(codec, "replace")[:MAX_PROSE]
    try:
        return data.decode("utf-8")[:MAX_PROSE]
    except UnicodeDecodeError as broken:
        if len(data) - broken.start < 4 and broken.end == len(data):
            # A character cut by a cap is no reason to doubt the others.
            return data[: broken.start].decode("utf-8")[:MAX_PROSE]
    known = codec if codec and codec not in ("utf_8", "ascii", "latin_1") else "cp1252"
    return data.decode(known, "replace")[:MAX_PROSE]


def _entity(match: re.Match[str]) -> str:
    if match[3]:
        accented = _ACCENTED.fullmatch(match[3])
        if accented:
            return unicodedata.normalize("NFC", accented[1] + _ACCENTS[accented[2]])
        return _NAMED.get(match[3].lower(), match[0])
    point = int(match[1]) if match[1] else int(match[2], 16)
    return chr(point) if 0x20 <= point < 0xD800 or 0xDFFF < point <= 0x10FFFF else " "


def html_text(text: str) -> str:
    """Return the readable text of an HTML part, roughly: lines kept, tags away, entities decoded."""
    for _ in range(_MAX_TRIES):
        hidden = _HIDDEN.search(text)
        if hidden is None:
            break
        end = text.lower().find(f"</{hidden[1].lower()}", hidden.end())
        text = text[: hidden.start()] + (text[end + 2 :] if end >= 0 else text[hidden.end() :])
    text = _TAG.sub(" ", _BREAK.sub("\n", text))
    return _ENTITY.sub(_entity, text)


def own_words(text: str) -> str:
    """Return text without the lines that quote another message."""
    return _QUOTED.sub("", text)


# Tried at a few places only, and bounded from there on: linear whatever the text.
_SENT = "message que vous avez envoy"
_CLOSED = re.compile(
    r"message que vous avez envoy\S{1,3} \S{1,3} (.{1,400}?) ?n.{1,3}a pas pu .{1,3}tre (?:distribu|remis|d.{1,3}livr)"
    r".{1,120}?messagerie .{0,60}?(?:de votre destinataire|du destinataire).{0,30}? cl.{1,3}tur"
)
_CLOSED_SHORT = re.compile(r"messagerie mon espace sant.{1,3} (?:de votre|du) destinataire est cl.{1,3}tur")
_BARE = re.compile(r"[^\s\"'<>()\[\],;]{1,254}@[^\s\"'<>()\[\],;]{1,254}")


def _as_written(text: str, lowered: str) -> str:
    at = text.lower().find(lowered)
    found = text[at : at + len(lowered)] if at >= 0 else ""
    return found if found.lower() == lowered else lowered


def closed_sentence(text: str) -> str | None:
    """Return the address that a "messagerie clôturée" text names, empty when it names none; None without one."""
    flat = plain(own_words(text))
    if "tur" not in flat:
        return None
    at = -1
    for _ in range(_MAX_TRIES):
        at = flat.find(_SENT, at + 1)
        if at < 0:
            break
        match = _CLOSED.match(flat, at)
        if match:
            address = _BARE.search(match[1])
            return _as_written(text, address[0].rstrip(".")) if address else ""
    return "" if _CLOSED_SHORT.search(flat) else None
