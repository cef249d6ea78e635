"""What known clients write beside the grammar, and mean: it is taken, as other servers take it."""

from __future__ import annotations

import pytest

from mss_gateway.protocol.imap import commands
from tests.support.imap import drive, logged_in

pytestmark = pytest.mark.req("IMP-1")


def test_two_spaces_before_each_further_message() -> None:
    """imapclient's multiappend puts a second space before every literal but the first."""
    log = drive(
        logged_in(), [b'a APPEND "x" {3+}\r\none  {3+}\r\ntwo  (\\Seen)  {5+}\r\nthree\r\nb NOOP\r\n']
    )
    assert log.messages == [b"one", b"two", b"three"]
    assert log.out == b"a OK done\r\nb OK done\r\n"


def test_accents_in_a_quoted_string_of_a_search_that_names_its_charset() -> None:
    """imapfilter writes them so before it has enabled anything; the same octets in a literal mean the same."""
    text = "Résultats".encode()
    quoted = drive(logged_in(), [b'a UID SEARCH CHARSET "UTF-8" ALL SUBJECT "%b"\r\n' % text])
    literal = drive(
        logged_in(), [b'a UID SEARCH CHARSET "UTF-8" ALL SUBJECT {%d+}\r\n%b\r\n' % (len(text), text)]
    )
    assert quoted.commands == literal.commands
    assert isinstance(quoted.commands[0], commands.Search)


@pytest.mark.parametrize(
    "line",
    [
        'a SEARCH SUBJECT "Résultats"'.encode(),  # no charset: US-ASCII
        b'a SEARCH CHARSET "UTF-8" SUBJECT "R\xe9sultats"',  # not UTF-8
        'a SELECT "Été"'.encode(),
    ],
)
def test_8_bit_text_elsewhere_is_refused(line: bytes) -> None:
    """Only a named charset says what such octets mean."""
    assert drive(logged_in(), [line + b"\r\n"]).out.startswith(b"a BAD ")
