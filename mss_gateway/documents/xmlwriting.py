"""Texts and HL7 fields as they stand in XML."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from uuid import UUID

from mss_gateway.mail.compose import one_line

from .record import Code

_NO_XML = re.compile("[\ud800-\udfff\ufffe\uffff]")
_DELIMITERS = str.maketrans("^~&|\\", "     ")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


def quoted(text: str) -> str:
    """Text for an element or an attribute: one line, marks escaped, nothing that XML forbids."""
    return _NO_XML.sub("", one_line(text)).translate(_ENTITIES)


def part(text: str) -> str:
    """A component of an HL7 v2 field: without the field's own delimiters."""
    return " ".join(text.translate(_DELIMITERS).split())


def cx(value: str, root: str, kind: str) -> str:
    """An identifier with its authority: `value^^^&root&ISO^kind`."""
    return f"{part(value)}^^^&{root}&ISO^{kind}"


def uid(unique: UUID) -> str:
    """A UUID as an OID (ITU-T X.667): `2.25.` and its number."""
    return f"2.25.{unique.int}"


def moment(at: float) -> str:
    """Epoch seconds as `YYYYMMDDhhmmss` in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y%m%d%H%M%S")


def coded(element: str, code: Code) -> str:
    """A CDA element that holds a code."""
    return f'<{element} code="{quoted(code.code)}" codeSystem="{code.system}" displayName="{quoted(code.label)}"/>'
