"""Mail written by the gateway itself, as bytes (RFC 5322, RFC 2045). Time, ids and boundary are arguments."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .dates import format_date
from .words import encode_words

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")
_SPECIALS = frozenset('()<>[]:;@\\,."')
_SOFT_LIMIT = 78  # characters of a header line, RFC 5322 section 2.1.1
_BREAK = re.compile(r"\r\n|\r|\n")
_BARE_LF = re.compile(rb"(?<!\r)\n")


@dataclass(frozen=True, slots=True)
class Entity:
    """One finished body part: its MIME fields in order, and its content with CRLF line ends."""

    fields: tuple[tuple[str, str], ...]
    content: bytes


def one_line(text: str) -> str:
    """Return text without control characters and line breaks, which could start a field of their own."""
    return _CONTROL.sub(" ", text).strip()


def ascii_line(text: str) -> str:
    """Return text as one line of ASCII; other characters become `?`."""
    return one_line(text).encode("ascii", "replace").decode("ascii")


def fold(name: str, value: str) -> bytes:
    """Return one header field, folded at blanks towards 78 characters; no value can begin another field.

    Breaks already in the value (encoded words) are kept as folds.
    """
    lines: list[str] = []
    line = f"{name}:"
    for piece in value.split("\r\n "):
        words = [word for word in one_line(piece).split(" ") if word]
        if lines or line != f"{name}:":
            lines.append(line)
            line = ""
        for word in words:
            if len(line) + 1 + len(word) > _SOFT_LIMIT and line.strip() and line != f"{name}:":
                lines.append(line)
                line = ""
            line += " " + word
    lines.append(line)
    return ("\r\n".join(text for text in lines if text.strip()) + "\r\n").encode("utf-8", "replace")


def header_block(fields: Iterable[tuple[str, str]]) -> bytes:
    """Return fields as a header block without its empty line."""
    return b"".join(fold(name, value) for name, value in fields)


def mailbox(display: str, address: str) -> str:
    """Return `display <address>` with the name quoted or encoded as it needs; the bare address without one."""
    name = one_line(display)
    spec = one_line(address)
    if not name:
        return f"<{spec}>"
    encoded = encode_words(name)
    if encoded == name and _SPECIALS & set(name):
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        encoded = f'"{escaped}"'
    return f"{encoded} <{spec}>"


def quoted_printable(lines: Sequence[bytes]) -> bytes:
    """Return lines (without their ends) in quoted-printable, joined by CRLF (RFC 2045 section 6.7)."""
    content = b"\r\n".join(binascii.b2a_qp(line, istext=True) for line in lines)
    return _BARE_LF.sub(b"\r\n", content)  # soft breaks come with a bare LF


def text_entity(text: str) -> Entity:
    """Return readable text as a part: plain ASCII when it is, else quoted-printable, which needs no 8BITMIME."""
    lines = _BREAK.split(text)
    if text.isascii() and all(len(line) <= 998 for line in lines):
        content, charset, encoding = "\r\n".join(lines).encode("ascii"), "us-ascii", "7bit"
    else:
        content = quoted_printable([line.encode("utf-8", "replace") for line in lines])
        charset, encoding = "utf-8", "quoted-printable"
    return Entity(
        (("Content-Type", f"text/plain; charset={charset}"), ("Content-Transfer-Encoding", encoding)), content
    )


def free_boundary(wanted: str, parts: Sequence[Entity]) -> str:
    """Return `wanted`, lengthened until no part contains it as a delimiter."""
    boundary = wanted
    while any(b"--" + boundary.encode("ascii") in part.content for part in parts):
        boundary += "_"
    return boundary


def multipart(boundary: str, parts: Sequence[Entity]) -> bytes:
    """Return the text of a multipart: every part between delimiter lines."""
    delimiter = b"--" + boundary.encode("ascii")
    out: list[bytes] = []
    for part in parts:
        out += [delimiter, b"\r\n", header_block(part.fields), b"\r\n", part.content, b"\r\n"]
    return b"".join((*out, delimiter, b"--\r\n"))


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What every report says of itself (RCP-6): who writes to whom, when, and about which message.

    `at` is in epoch seconds, `offset` the zone in minutes east of UTC; ids carry their angle brackets;
    `boundary` is ASCII. Addresses are plain `local@domain`.
    """

    sender: str
    sender_name: str
    recipient: str
    subject: str
    at: float
    message_id: str
    boundary: str
    original_id: str | None = None
    original_references: str = ""
    offset: int = 0


def _head_fields(head: Letterhead) -> list[tuple[str, str]]:
    fields = [
        ("From", mailbox(head.sender_name, head.sender)),
        ("To", mailbox("", head.recipient)),
        ("Subject", encode_words(one_line(head.subject))),
        ("Date", format_date(head.at, head.offset)),
        ("Message-ID", head.message_id),
    ]
    if head.original_id:
        earlier = [one for one in one_line(head.original_references).split() if one != head.original_id][-20:]
        fields.append(("In-Reply-To", head.original_id))
        fields.append(("References", " ".join((*earlier, head.original_id))))
    return fields


def report(head: Letterhead, kind: str, parts: Sequence[Entity]) -> bytes:
    """Return a whole `multipart/report` of a kind such as `delivery-status` (RFC 6522), RCP-6's fields in front.

    It is meant for a null return path: the transaction that carries it must use `MAIL FROM:<>`.
    """
    boundary = free_boundary(head.boundary, parts)
    fields = _head_fields(head)
    fields += [
        ("Auto-Submitted", "auto-replied"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/report; report-type={kind}; boundary="{boundary}"'),
    ]
    return header_block(fields) + b"\r\n" + multipart(boundary, parts)


def notice(head: Letterhead, text: str, *, reply_to: Sequence[str] = (), kind: str = "auto-replied") -> bytes:
    """Return a whole text message that the gateway writes itself (RCP-6, RFC 3834); `kind` is Auto-Submitted's."""
    body = text_entity(text)
    fields = _head_fields(head)
    if reply_to:
        fields.append(("Reply-To", ", ".join(mailbox("", address) for address in reply_to)))
    fields += [("Auto-Submitted", kind), ("MIME-Version", "1.0"), *body.fields]
    return header_block(fields) + b"\r\n" + body.content
