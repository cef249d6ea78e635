"""8-bit header text in FETCH: encoded words for clients of rev1, UTF-8 once it was enabled (RFC 6855, RFC 9051)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.doors import Served
from tests.support.imapvalues import read_value
from tests.support.wires import Imap

LETTER = (
    'From: "Hélène \\"H\\" D." <hélène@hôpital.example>\r\nSubject: =?utf-8?Q?d=C3=A9j=C3=A0?= codé\r\n'
    "To: =?utf-8?Q?=C3=A9?= <a@b.example>\r\n"
    'Content-Type: text/plain; name="été.txt"\r\n\r\nx\r\n'
).encode()


@pytest.fixture
def box(door: Served) -> Iterator[Imap]:
    """A mailbox with one letter with an 8-bit header, filed by a client that takes UTF-8."""
    writer = door.imap(door.account("PER"))
    writer.ok("ENABLE UTF8=ACCEPT")
    writer.run("DELETE eightbit")
    writer.ok("CREATE eightbit")
    assert writer.append("eightbit", LETTER).startswith(b"OK")
    writer.close()
    imap = door.imap(door.account("PER"))
    yield imap
    imap.close()


def told(imap: Imap) -> tuple[list[object], list[object], bytes]:
    """ENVELOPE, BODYSTRUCTURE and the line they stood in."""
    imap.ok("SELECT eightbit")
    (line,) = imap.fetch("1", "(ENVELOPE BODYSTRUCTURE BODY)")
    items = read_value(line[line.index(b"(") :])
    return items[1], items[3], line


@pytest.mark.req("IMP-1")
def test_a_client_that_has_enabled_nothing_gets_ascii(box: Imap) -> None:
    """No octet beyond ASCII in ENVELOPE and BODYSTRUCTURE (RFC 3501 section 4.3.1)."""
    envelope, structure, line = told(box)
    assert line.isascii()
    assert envelope[2][0][0].lower().startswith(b"=?utf-8?")  # type: ignore[index]
    assert structure[2][1].lower().startswith(b"=?utf-8?")  # type: ignore[index]


@pytest.mark.parametrize("name", ["UTF8=ACCEPT", "IMAP4rev2"])
def test_a_client_that_has_enabled_utf8_gets_what_came(box: Imap, name: str) -> None:
    """Names, local parts and file names as UTF-8; encoded words that came so stay."""
    box.ok(f"ENABLE {name}")
    envelope, structure, _ = told(box)
    assert envelope[2] == [['Hélène "H" D.'.encode(), None, "hélène".encode(), b"xn--hpital-ixa.example"]]
    assert envelope[1] == "=?utf-8?Q?d=C3=A9j=C3=A0?= codé".encode()
    assert envelope[5][0][0] == b"=?utf-8?Q?=C3=A9?="  # type: ignore[index]
    assert structure[2] == [b"name", "été.txt".encode()]
