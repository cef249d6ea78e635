"""The message that carries a document: text, PDF and IHE_XDM archive, with its X-MSS fields (domain 10)."""

from __future__ import annotations

import base64

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import parse_address
from mss_gateway.mail.compose import (
    Entity,
    ascii_line,
    free_boundary,
    header_block,
    mailbox,
    multipart,
    quoted_printable,
)
from mss_gateway.mail.dates import format_date
from mss_gateway.mail.words import encode_words

from .building import BuiltDocument
from .naming import ARCHIVE_NAME
from .nomenclature import without_accents

TEXT = """\
Bonjour,

Veuillez trouver ci-joint le document « {title} » du {date}, émis par {structure}.

Ce message contient des données de santé : merci de ne pas le transmettre en dehors de MSSanté.

Cordialement,
{author}
"""
"""The text part."""

NO_REPLY = "\nIl n'est pas possible de répondre à ce message.\n"
"""Added to the text of a message that cannot be answered."""


def build_message(built: BuiltDocument) -> bytes:
    """The whole message, ready for submission (RFC 5322); raises `InvalidValue` for an address that is none."""
    request = built.checked.request
    for address in (request.sender, request.recipient, *([request.reply_to] if request.reply_to else ())):
        parse_address(address)
    if not built.marks.boundary.isascii() or not built.marks.boundary:
        raise InvalidValue("the boundary is ASCII", "document-boundary")
    parts = [_text(built), _pdf(built), _archive(built)]
    boundary = free_boundary(built.marks.boundary, parts)
    fields = [
        ("From", mailbox(request.sender_name or request.author.structure, request.sender)),
        ("To", mailbox("", request.recipient)),
        ("Subject", encode_words(built.subject)),
        ("Date", format_date(built.marks.at, built.marks.offset)),
        ("Message-ID", built.marks.message_id),
    ]
    if request.reply_to:
        fields.append(("Reply-To", mailbox("", request.reply_to)))
    if request.receipt:
        fields.append(("Disposition-Notification-To", mailbox("", request.sender)))
    fields += [
        ("X-MSS-CODECDA", ascii_line(built.code)),
        ("X-MSS-INS", "O" if built.ins_declared else "N"),
        ("X-MSS-NIL", ascii_line(request.nil)),
    ]
    if request.closing:
        fields.append(("X-MSS-MES", "FIN"))
    fields += [("MIME-Version", "1.0"), ("Content-Type", f'multipart/mixed; boundary="{boundary}"')]
    return header_block(fields) + b"\r\n" + multipart(boundary, parts)


def _text(built: BuiltDocument) -> Entity:
    """Always UTF-8, even where the text happens to be ASCII."""
    request = built.checked.request
    text = TEXT.format(
        title=" ".join(request.title.split()),
        date=f"{request.written:%d/%m/%Y}",
        structure=" ".join(request.author.structure.split()),
        author=f"{request.author.given} {request.author.family}".strip(),
    )
    if request.closing:
        text += NO_REPLY
    content = quoted_printable([line.encode("utf-8", "replace") for line in text.splitlines()])
    return Entity(
        (
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "quoted-printable"),
        ),
        content,
    )


def _pdf(built: BuiltDocument) -> Entity:
    return Entity(
        (
            ("Content-Type", f'application/pdf; name="{ascii_line(without_accents(built.pdf_name))}"'),
            ("Content-Transfer-Encoding", "base64"),
            ("Content-Disposition", "attachment;\r\n " + _file_name(built.pdf_name)),
        ),
        _base64(built.checked.request.pdf),
    )


def _archive(built: BuiltDocument) -> Entity:
    return Entity(
        (
            ("Content-Type", f'application/zip; name="{ARCHIVE_NAME}"'),
            ("Content-Transfer-Encoding", "base64"),
            ("Content-Disposition", f'attachment; filename="{ARCHIVE_NAME}"'),
        ),
        _base64(built.archive),
    )


def _file_name(name: str) -> str:
    """Plain in ASCII; else in UTF-8 in pieces of one line each (RFC 2231)."""
    if name.isascii():
        return f'filename="{name}"'
    octets = [
        f"%{octet:02X}" if octet > 126 or chr(octet) in _TO_ESCAPE else chr(octet) for octet in name.encode()
    ]
    lines: list[str] = []
    for start in range(0, len(octets), 20):
        sign = "utf-8''" if start == 0 else ""
        lines.append(f"filename*{start // 20}*={sign}{''.join(octets[start : start + 20])}")
    return ";\r\n ".join(lines)


_TO_ESCAPE = frozenset(" %'()*<>@,;:\\\"/[]?=")


def _base64(octets: bytes) -> bytes:
    encoded = base64.encodebytes(octets)
    return encoded.rstrip(b"\n").replace(b"\n", b"\r\n")
