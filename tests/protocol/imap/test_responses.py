"""What goes out: exact lines, and no injection."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mss_gateway.protocol.imap import Ending, fetching, mutf7, quoting, responses
from mss_gateway.protocol.imap.cursor import Cursor
from mss_gateway.protocol.imap.dates import parse_date_time
from mss_gateway.protocol.imap.sequence import parse_sequence_set

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)


@settings(max_examples=300)
@given(NAMES)
@example("~peter/mail/台北/日本語")
@example("&&-&")
def test_mailbox_names_survive_the_round_trip(name: str) -> None:
    """Modified UTF-7 is ASCII and gives the name back; so do both spellings on the wire."""
    raw = mutf7.encode(name)
    assert raw.isascii()
    assert mutf7.decode(raw) == name
    for utf8 in (False, True):
        wire = quoting.mailbox(name, utf8)
        if b"{" not in wire:
            assert Cursor([wire], utf8=utf8).list_mailbox() == name


@settings(max_examples=300)
@given(
    st.lists(
        st.sampled_from([b"&", b"-", b"U", b",", b"B", b"T", b"F", b"/", b"AAAA", b"&AOk-", b"\xff"]),
        max_size=8,
    )
)
def test_a_name_has_one_spelling(parts: list[bytes]) -> None:
    """What decodes, encodes to the same octets; the rest is ValueError."""
    raw = b"".join(parts)
    try:
        name = mutf7.decode(raw)
    except ValueError:
        return
    assert mutf7.encode(name) == raw


def test_rfc_3501_example_name() -> None:
    """Section 5.1.3."""
    assert mutf7.decode(b"~peter/mail/&U,BTFw-/&ZeVnLIqe-") == "~peter/mail/台北/日本語"
    for bad in (b"&Jjo!", b"&U,BTFw-&ZeVnLIqe-", b"&AGE-", b"&U", b"a\x00", b"&2AA-"):
        with pytest.raises(ValueError):
            mutf7.decode(bad)


@settings(max_examples=300)
@given(st.binary(max_size=40), st.booleans())
def test_strings_read_back_as_they_were(data: bytes, utf8: bool) -> None:
    """Quoted when possible, else a literal; never an octet that ends the line inside quotes."""
    for wire in (quoting.string(data, utf8), quoting.astring(data, utf8)):
        if wire.startswith(b"{"):
            assert wire == b"{%d}\r\n%b" % (len(data), data)
        else:
            assert b"\r" not in wire
            assert b"\n" not in wire
            assert Cursor([wire], utf8=True).astring() == data


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_text_stays_on_its_line(text: str) -> None:
    """Whatever the text, one line comes out, all of it printable ASCII."""
    for line in (
        responses.tagged(b"a", Ending.NO, text),
        responses.bye(text),
        responses.identification({text: text}),
    ):
        assert re.fullmatch(rb"[\x20-\x7e]+\r\n", line)


def test_codes_and_flags_that_would_break_out_are_our_bug() -> None:
    """ValueError rather than a second line."""
    for call in (
        lambda: responses.ok("x", b"A\r\n* BYE"),
        lambda: responses.ok("x", b"A] b"),
        lambda: quoting.flag("\\Seen)\r\n"),
        lambda: quoting.flag("a b"),
        lambda: quoting.flag(""),
    ):
        with pytest.raises(ValueError):
            call()


def test_one_bad_keyword_does_not_make_a_message_unreadable() -> None:
    """It is left out of FLAGS."""
    assert fetching.flags_item(frozenset({"\\Seen", "a b\r\n", "é", "ok?"})) == b"FLAGS (\\Seen ok?)"


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (responses.tagged(b"a1", Ending.OK, "done", b"READ-WRITE"), b"a1 OK [READ-WRITE] done\r\n"),
        (responses.greeting(b"IMAP4rev1"), b"* OK [CAPABILITY IMAP4rev1] ready\r\n"),
        (responses.exists(23), b"* 23 EXISTS\r\n"),
        (responses.expunge([5, 4]), b"* 5 EXPUNGE\r\n* 4 EXPUNGE\r\n"),
        (responses.flags(["\\Seen", "$Junk"]), b"* FLAGS ($Junk \\Seen)\r\n"),
        (
            responses.permanent_flags(["\\Seen"], new_keywords=True),
            b"* OK [PERMANENTFLAGS (\\Seen \\*)] flags kept\r\n",
        ),
        (responses.permanent_flags([], new_keywords=False), b"* OK [PERMANENTFLAGS ()] flags kept\r\n"),
        (responses.listing("Envoyés", ["\\Sent"]), b'* LIST (\\Sent) "/" Envoy&AOk-s\r\n'),
        (responses.listing("Envoyés", [], utf8=True), '* LIST () "/" "Envoyés"\r\n'.encode()),
        (
            responses.listing("Foo", [], child_info=["SUBSCRIBED"], old_name="a b"),
            b'* LIST () "/" Foo ("CHILDINFO" ("SUBSCRIBED") "OLDNAME" ("a b"))\r\n',
        ),
        (responses.status("x", {"MESSAGES": 1, "SIZE": 2}), b"* STATUS x (MESSAGES 1 SIZE 2)\r\n"),
        (responses.search([2, 5], 917), b"* SEARCH 2 5 (MODSEQ 917)\r\n"),
        (responses.search([]), b"* SEARCH\r\n"),
        (responses.enabled(["CONDSTORE"]), b"* ENABLED CONDSTORE\r\n"),
        (responses.identification({"name": "mss"}), b'* ID ("name" "mss")\r\n'),
        (responses.namespace(), b'* NAMESPACE (("" "/")) NIL NIL\r\n'),
        (responses.namespace(shared=True), b'* NAMESPACE (("" "/")) NIL (("Shared/" "/"))\r\n'),
        (responses.vanished_earlier([range(1, 3), range(5, 6)]), b"* VANISHED (EARLIER) 1:2,5\r\n"),
        (responses.copyuid(7, [1, 2], [9, 10]), b"COPYUID 7 1:2 9:10"),
        (responses.copyuid(7, [2, 1], [9, 10]), b"COPYUID 7 2,1 9,10"),
        (
            fetching.fetch(3, [fetching.uid_item(8), fetching.flags_item(frozenset({"\\Seen"}))]),
            b"* 3 FETCH (UID 8 FLAGS (\\Seen))\r\n",
        ),
        (fetching.literal_item(b"BODY[]", b"ab\r\n"), b"BODY[] {4}\r\nab\r\n"),
        (fetching.literal_head(b"BINARY[1]", 3, binary=True), b"BINARY[1] ~{3}\r\n"),
        (fetching.modseq_item(12), b"MODSEQ (12)"),
        (fetching.date_item(837596665.9), b'INTERNALDATE "17-Jul-1996 09:44:25 +0000"'),
        (fetching.date_item(86400.0), b'INTERNALDATE " 2-Jan-1970 00:00:00 +0000"'),
    ],
)
def test_lines(line: bytes, wanted: bytes) -> None:
    """Exact octets."""
    assert line == wanted


@settings(max_examples=200)
@given(st.integers(-60_000_000_000, 250_000_000_000))
def test_internal_dates_read_back(epoch: int) -> None:
    """INTERNALDATE of any second of years 1 to 9999 parses to the same second."""
    assert parse_date_time(fetching.internal_date(epoch)[1:-1]) == epoch
    assert b"%04d" % datetime.fromtimestamp(epoch, UTC).year in fetching.internal_date(epoch)


@settings(max_examples=200)
@given(st.sets(st.integers(1, 60)))
def test_number_sets_read_back(numbers: set[int]) -> None:
    """Runs fold and unfold."""
    text = responses.number_set(sorted(numbers))
    if numbers:
        found = {n for low, high in parse_sequence_set(text).ranges for n in range(low, high + 1)}
        assert found == numbers
    else:
        assert text == b""
