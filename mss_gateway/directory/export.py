"""Rows of the directory as an address book that mail clients take in: vCard, LDIF, CSV (RFC 6350, RFC 2849)."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterable, Iterator

from .columns import NAMES
from .entry import Record, holder, house

FOLD = 75
"""Octets of a line of vCard, RFC 6350 section 3.2."""

_CSV = tuple(name for name in NAMES if not name.startswith(("address_", "number", "street")))


def vcards(rows: Iterable[Record]) -> Iterator[str]:
    """One card for each row (RFC 6350, version 3.0 as Thunderbird and Outlook read it: RFC 2426)."""
    for row in rows:
        organisational = not row.get("name")
        name = _shown(row)
        lines = ["BEGIN:VCARD", "VERSION:3.0", f"FN:{_escaped(name)}"]
        parts = (
            ("", "", "", "")
            if organisational
            else (row["name"], row.get("first_name", ""), "", row.get("title", ""))
        )
        lines.append("N:" + ";".join(_escaped(part) for part in (*parts, "")))
        lines.append(f"EMAIL;TYPE=INTERNET,WORK:{_escaped(row['address'])}")
        structure = row.get("structure") or row.get("sign") or ""
        if structure or row.get("service"):
            lines.append(f"ORG:{_escaped(structure)};{_escaped(row.get('service', ''))}")
        if _job(row):
            lines.append(f"TITLE:{_escaped(_job(row))}")
        if row.get("town"):
            street, town, code = (
                _street(row),
                row["town"].removeprefix(row.get("postcode", "")).strip(),
                row.get("postcode", ""),
            )
            lines.append(f"ADR;TYPE=WORK:;;{_escaped(street)};{_escaped(town)};;{_escaped(code)};")
        lines.append(f"CATEGORIES:{_escaped('MSSanté')},{_escaped(row.get('type', ''))}")
        lines.append("END:VCARD")
        yield "".join(f"{_folded(line)}\r\n" for line in lines)


def ldif(rows: Iterable[Record], base: str = "") -> Iterator[str]:
    """One entry for each address, with the attributes of RFC 2798 (RFC 2849).

    Mail clients need no `base`; a directory server takes the entries below that DN.
    """
    taken: set[str] = set()
    for row in rows:
        key = row["address"].lower()
        if key in taken:  # a DN names one entry
            continue
        taken.add(key)
        name = _shown(row)
        values = [
            ("dn", f"mail={_dn(row['address'])}" + (f",{base}" if base else "")),
            *(("objectClass", kind) for kind in ("top", "person", "organizationalPerson", "inetOrgPerson")),
            ("cn", name),
            ("sn", row.get("name") or name),
            ("givenName", row.get("first_name", "")),
            ("mail", row["address"]),
            ("o", row.get("structure") or row.get("sign") or ""),
            ("ou", row.get("service", "")),
            ("title", _job(row)),
            ("street", _street(row)),
            ("l", row.get("town", "").removeprefix(row.get("postcode", "")).strip()),
            ("postalCode", row.get("postcode", "")),
            ("employeeNumber", row.get("national_id", "")),
        ]
        yield "".join(_attribute(attribute, value) for attribute, value in values if value) + "\n"


def table(rows: Iterable[Record]) -> Iterator[str]:
    """Rows of CSV with headings; a text that a spreadsheet would take for a formula is made harmless."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(_CSV)
    yield "\ufeff" + out.getvalue()
    for row in rows:
        out.seek(0)
        out.truncate()
        writer.writerow([_harmless(row.get(name, "")) for name in _CSV])
        yield out.getvalue()


def written(kind: str, rows: Iterable[Record], base: str = "") -> Iterator[str]:
    """The pieces of an address book of this format: `vcard`, `ldif` or `csv`."""
    if kind == "ldif":
        return ldif(rows, base)
    return vcards(rows) if kind == "vcard" else table(rows)


def _shown(row: Record) -> str:
    """What a person picks from a list."""
    return holder(row) or house(row) or row["address"]


def _job(row: Record) -> str:
    return ", ".join(part for part in (row.get("profession"), row.get("skill")) if part)


def _street(row: Record) -> str:
    return " ".join(
        row[part] for part in ("number", "number_suffix", "street_type", "street") if row.get(part)
    )


def _escaped(text: str) -> str:
    """A value of vCard (RFC 6350 section 3.4)."""
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text.replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;")


def _folded(line: str) -> str:
    """Lines of at most 75 octets, never cut within a character."""
    if len(line.encode()) <= FOLD:
        return line
    pieces, piece, size = [], "", 0
    for letter in line:
        octets = len(letter.encode())
        if size + octets > FOLD - 1:
            pieces.append(piece)
            piece, size = "", 0
        piece += letter
        size += octets
    return "\r\n ".join([*pieces, piece])


def _attribute(name: str, value: str) -> str:
    """A line of LDIF; what is no SAFE-STRING goes in base64 (RFC 2849)."""
    safe = value.isascii() and value.isprintable() and value[0] not in " :<" and not value.endswith(" ")
    if safe:
        return f"{name}: {value}\n"
    return f"{name}:: {base64.b64encode(value.encode()).decode('ascii')}\n"


def _dn(value: str) -> str:
    """An attribute value within a DN (RFC 4514 section 2.4)."""
    escaped = "".join(f"\\{letter}" if letter in '\\,+"<>;=' else letter for letter in value)
    return f"\\{escaped}" if escaped[:1] in ("#", " ") else escaped


def _harmless(text: str) -> str:
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
