"""Ugly letters beside Dovecot: the same structure, envelope and octets, but where the RFCs give another answer."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mss_gateway.mail.imaptext import body_text
from mss_gateway.mail.message import split_message
from mss_gateway.mail.parttable import load_parts
from mss_gateway.mail.prepare import prepare
from tests.support.foreign import require_program
from tests.support.imapvalues import is_message, part_numbers, read_value
from tests.support.oracle import Oracle, Said
from tests.support.parts import locate
from tests.support.ugly import LETTERS

WE_DIFFER = {
    "no boundary parameter": "RFC 2045 5.2: an invalid type is read as plain text, so that the text can be read",
    "empty boundary": "RFC 2046 5.1.1: a boundary has at least one character; read as plain text",
    "boundary never used": "RFC 2046 5.1: a multipart has a part; without one its text is shown, not an empty part",
    "preamble and close only": "as before: Dovecot shows an empty part, we show the text",
    "boundary parameter with trailing spaces": "RFC 2046 5.1.1: no boundary ends in a space, so the delimiter has none",
    "boundary is a prefix of a line": "RFC 2046 5.1.1, grammar: after the boundary a line holds padding alone",
    "same boundary inside and outside": "RFC 2046 5.1.2: the delimiter of the outer multipart ends the inner one",
    "unquoted odd boundary": "not to be quoted is an error of its writer; the delimiters that are there are found",
    "boundary in RFC 2231 form": "RFC 2231 4: a parameter may be extended; Dovecot does not look for it",
    "part without empty line": "RFC 5322 2.2: what is no field is no header, so nothing of the text is lost",
    "message with encoding": "RFC 2046 5.2.1 forbids it; the octets are no message before they are decoded",
    "unreadable type": "RFC 2045 5.2: text/plain; Dovecot says two empty strings",
    "type without subtype": "RFC 2045 5.2: text/plain; Dovecot says an empty subtype",
    "parameter without value": "what is passed over does not hide the parameters after it",
    "parameter without end quote": "as before",
    "no domain": "RFC 9051 7.5.2: NIL would be a group; Dovecot invents MISSING_DOMAIN, we say it is empty",
    "fields twice": "RFC 5322 3.6 allows one; programs show the first",
    "folded subject": "RFC 5322 2.2.3: unfolding takes the line break alone",
    "8-bit subject": "RFC 9051 4.3: octets beyond ASCII in no quoted string of rev1, so encoded words",
    "latin subject": "as before",
    "8-bit name": "as before",
    "type with 8-bit name": "as before",
    "ids": "the fold before the id is no part of it",
    "bare CR in the header": "no quoted string holds CR; which character stands for it is free",
    "NUL in the text": "Dovecot stores another octet; we keep what came",
    "NUL in the subject": "as before",
}
"""Letters of which we say something else, and why."""


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    """A Dovecot for this file."""
    require_program("dovecot")
    with tempfile.TemporaryDirectory() as folder, Oracle(Path(folder)) as running:
        yield running


def _ours(letter: bytes) -> Said:
    size = split_message(letter)
    header, text = letter[:size], letter[size:]
    prepared = prepare(header, text)
    table = load_parts(prepared.structure)
    structure = read_value(prepared.bodystructure)
    names = ["", "HEADER", "TEXT"]
    for path, body in part_numbers(structure):
        name = ".".join(map(str, path))
        names += [name, name + ".MIME", *((name + ".HEADER", name + ".TEXT") if is_message(body) else ())]
    sections: dict[str, bytes | None] = {}
    for name in names:
        found = locate(table, name)
        assert found is not None, name
        sections[name] = b"".join(
            (header if span.in_header else text)[span.start : span.end] for span in found
        )
    return Said(
        structure, read_value(body_text(prepared.bodystructure)), read_value(prepared.envelope), sections
    )


def _alike(body: Any) -> Any:
    """A structure without what the RFC leaves free: case, a charset that was not said, how a last line is counted."""
    if isinstance(body, bytes | None):
        return body
    if len(body) < 7 or not (isinstance(body[0], bytes) and isinstance(body[6], bytes) and body[6].isdigit()):
        return [_alike(item) for item in body]
    kind = [item.lower() for item in body[:2]]
    names = [
        item.lower() if isinstance(item, bytes) and not at % 2 else item
        for at, item in enumerate(body[2] or ())
    ]
    pairs = sorted(zip(names[::2], names[1::2], strict=True))
    pairs = [pair for pair in pairs if pair != (b"charset", b"us-ascii")]
    rest = [_alike(item) for item in body[3:]]
    rest[2] = rest[2].lower()
    if kind[0] == b"text":
        rest[4] = b"lines"
    elif is_message(body):
        rest[6] = b"lines"
    return [*kind, pairs, *rest]


def _compared(said: Said) -> Said:
    sections = {}
    for name, octets in said.sections.items():
        # Dovecot counts the line break before a delimiter to a multipart that ends there; RFC 2046 5.1.1 does not.
        closed = octets is not None and octets.endswith(b"--\r\n") and not name.endswith(("HEADER", "TEXT"))
        sections[name] = octets[:-2] if octets and closed and name else octets
    return replace(said, bodystructure=_alike(said.bodystructure), body=_alike(said.body), sections=sections)


@pytest.mark.req("IMP-1")
@pytest.mark.parametrize("name", [name for name in LETTERS if LETTERS[name]])
def test_dovecot_says_the_same(oracle: Oracle, name: str) -> None:
    """Structure, envelope and every section agree, or we have written down why not."""
    # Dovecot keeps lines with CRLF: what ends in LF alone is compared as it stores it.
    letter = LETTERS[name].replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    theirs, ours = _compared(oracle.ask(letter)), _compared(_ours(letter))
    if name in WE_DIFFER:
        assert ours != theirs, "no difference any more: strike it from the table"
        return
    assert ours.bodystructure == theirs.bodystructure
    assert ours.body == theirs.body
    assert ours.envelope == theirs.envelope
    assert ours.sections == theirs.sections
