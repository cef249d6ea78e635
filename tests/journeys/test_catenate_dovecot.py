"""CATENATE and MULTIAPPEND, the same commands to Dovecot and to us, with the same result (RFC 4469, RFC 3502)."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.doors import gateway_in_thread
from tests.support.foreign import require_program
from tests.support.oracle import Oracle
from tests.support.wires import Imap, literal

HEAD = b"From: a@x.example\r\nTo: b@x.example\r\nSubject: source\r\nMIME-Version: 1.0\r\n"
NESTED = b"Subject: inner\r\nContent-Type: text/plain\r\n\r\ninner text\r\n"
SOURCE = (
    HEAD
    + b'Content-Type: multipart/mixed; boundary="o"\r\n\r\npreamble\r\n--o\r\nContent-Type: text/plain\r\n\r\n'
    + b"first\r\n\r\n--o\r\nContent-Type: message/rfc822\r\n\r\n"
    + NESTED
    + b'--o\r\nContent-Type: multipart/alternative; boundary="i"\r\n\r\n--i\r\n\r\nplain\r\n--i\r\n'
    + b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+aGk8L2I+\r\n--i--\r\n--o--\r\n"
)
SECTIONS = [
    "",
    "/;SECTION=HEADER",
    "/;SECTION=TEXT",
    "/;SECTION=1",
    "/;SECTION=1.MIME",
    "/;SECTION=2",
    "/;SECTION=2.HEADER",
    "/;SECTION=2.TEXT",
    "/;SECTION=2.1",
    "/;SECTION=3.1",
    "/;SECTION=3.2",
    "/;SECTION=3.2.MIME",
    "/;SECTION=HEADER.FIELDS%20(Subject%20To)",
    "/;SECTION=TEXT/;PARTIAL=4.20",
    "/;PARTIAL=100000.5",
]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Imap, Imap]]:
    """A session of Dovecot and one of ours, `letters` open, the source in it as UID 1."""
    require_program("dovecot")
    with (
        tempfile.TemporaryDirectory() as folder,
        Oracle(Path(folder)) as oracle,
        gateway_in_thread(tmp_path_factory.mktemp("gateway")) as ours,
    ):
        mine = ours.imap(ours.account("PER"))
        mine.ok("CREATE letters")
        mine.ok("SELECT letters")
        for imap in (oracle._imap, mine):
            assert imap.append("letters", SOURCE).startswith(b"OK")
        yield oracle._imap, mine
        mine.close()


def made(imap: Imap, command: bytes) -> tuple[bytes, list[bytes]]:
    """The first word of the answer, and the messages that the command added."""
    before = len(imap.ok("UID SEARCH ALL")[-1].split())
    tagged = imap.ending(command)
    found = imap.ok("UID FETCH 1:* BODY.PEEK[]")
    return tagged.split()[0], [literal(line) for line in found if b"BODY[]" in line][before - 2 :]


def url(imap: Imap, section: str) -> bytes:
    """The source, or a section of it."""
    status = imap.ok("STATUS letters (UIDVALIDITY)")[-1]
    found = re.search(rb"UIDVALIDITY (\d+)", status)
    assert found
    return b"/letters;UIDVALIDITY=%b/;UID=1%b" % (found[1], section.encode())


@pytest.mark.req("IMP-1")
@pytest.mark.parametrize("section", SECTIONS)
def test_the_same_sections(both: tuple[Imap, Imap], section: str) -> None:
    """Each section of a nested message, between two texts."""
    answers = []
    for imap in both:
        parts = b'TEXT {10+}\r\nX-A: b\r\n\r\n URL "%b" TEXT {3+}\r\nend' % url(imap, section)
        answers.append(made(imap, b"APPEND letters (\\Seen) CATENATE (%b)" % parts))
    assert answers[0] == answers[1]
    assert answers[1][0] == b"OK"


@pytest.mark.req("IMP-1")
def test_the_same_refusals(both: tuple[Imap, Imap]) -> None:
    """A bad URL behind a good message: NO and nothing added; then several good ones in one command."""
    for imap in both:
        bad = b"APPEND letters {5+}\r\nX: y\n CATENATE (URL /nowhere/;UID=1)"
        assert made(imap, bad) == (b"NO", [])
    forms = b'APPEND letters {8+}\r\nX: y\r\n\r\n (\\Seen) CATENATE (URL "%b" TEXT {1+}\r\n.) {8+}\r\nZ: y\r\n\r\n'
    answers = [made(imap, forms % url(imap, "/;SECTION=1")) for imap in both]
    assert answers[0] == answers[1]
    assert len(answers[1][1]) == 3
