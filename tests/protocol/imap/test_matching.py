"""SEARCH and LIST, evaluated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.mail.searchtext import fold, header_values
from mss_gateway.protocol.imap import searchkeys as k
from mss_gateway.protocol.imap.cursor import Cursor
from mss_gateway.protocol.imap.grammar_search import search
from mss_gateway.protocol.imap.headeronly import field_values, written_date
from mss_gateway.protocol.imap.mailboxtree import (
    Listed,
    Mailbox,
    list_mailboxes,
    pattern_matcher,
)
from mss_gateway.protocol.imap.matching import Column, columns, compile_search, uses_modseq

HEADER = (
    b"From: =?utf-8?q?Ren=C3=A9e?= Example <renee@example.org>\r\nSubject: =?utf-8?b?UsOpc3VsdGF0cw==?=\r\n"
    b" =?utf-8?q?_de_biologie?=\r\nX-Subject: nothing\r\nTo: a@example.org,\r\n\tb@example.org\r\n\r\n"
)


@dataclass
class Message:
    """A candidate that counts what is read of it."""

    uid: int = 40
    number: int = 4
    flags: frozenset[str] = frozenset({"\\Seen", "$Forwarded"})
    modseq: int = 100
    internal_date: float = 1_600_000_000.0  # 13 September 2020
    save_date: float = 1_600_100_000.0  # 14 September 2020
    size: int = 5000
    read: list[str] = field(default_factory=list)

    def header(self) -> bytes:
        """The header block."""
        self.read.append("header")
        return HEADER

    def sent_at(self) -> float | None:
        """No Date header."""
        self.read.append("sent")
        return None

    def texts(self) -> str:
        """The decoded body."""
        self.read.append("text")
        return fold("Hémoglobine : 14 g/dL")

    def unfolded(self) -> Iterator[str]:
        """The body as written, which only i;unicode-casemap asks for."""
        self.read.append("unfolded")
        return iter(("Hémoglobine : 14 g/dL",))

    def email_id(self) -> str:
        """An identifier."""
        return "M1"

    def thread_id(self) -> str:
        """An identifier."""
        return "T1"


def key_of(text: bytes) -> k.SearchKey:
    """The key of a SEARCH line."""
    return search(Cursor([b" " + text])).key


def holds(text: bytes, message: Message | None = None) -> bool:
    """Does the sample message match?"""
    return compile_search(key_of(text), last_number=9, last_uid=90, saved=frozenset({40}))(
        message or Message()
    )


@pytest.mark.parametrize(
    "text",
    [
        *(
            b"ALL",
            b"SEEN",
            b"UNDELETED",
            b"NOT ANSWERED",
            b"KEYWORD $forwarded",
            b"UNKEYWORD x",
            b"OLD",
            b"4",
            b"2:*",
        ),
        *(b"UID 40", b"UID 30:*", b"$", b"UID $", b"1:3,4,8", b"LARGER 4999", b"SMALLER 5001", b"MODSEQ 100"),
        *(b"ON 13-Sep-2020", b"BEFORE 14-Sep-2020", b"SINCE 13-Sep-2020", b"NOT SENTSINCE 1-Jan-1990"),
        *(
            b"FROM renee",
            b'SUBJECT "resultats de BIO"',
            b"TO b@example.org",
            b'HEADER X-Subject ""',
            b"BODY hemoglobine",
        ),
        *(
            b"TEXT biologie",
            b"TEXT 14",
            b"OR SEEN DRAFT",
            b"OR DRAFT SEEN",
            b"(SEEN (LARGER 1))",
            b"NOT (SEEN DRAFT)",
        ),
    ],
)
def test_what_matches(text: bytes) -> None:
    """And its contrary does not."""
    assert holds(text)
    assert not holds(b"NOT " + text)


@pytest.mark.parametrize(
    "text",
    [
        b"UNSEEN",
        b"NEW",
        b"5",
        b"5:*",
        b"UID 41:*",
        b"MODSEQ 101",
        b"SUBJECT nothing",
        b"HEADER Subj x",
        b"CC x",
        *(b"ON 12-Sep-2020", b"BODY renee", b"LARGER 5000", b"SENTBEFORE 1-Jan-2030", b'HEADER Date ""'),
    ],
)
def test_what_does_not_match(text: bytes) -> None:
    """Bounds, other fields, other halves, no Date header."""
    assert not holds(text)


def test_dear_columns_are_read_only_when_they_decide() -> None:
    """Flags first, the body last, in whatever order the client wrote them."""
    message = Message()
    assert not holds(b"BODY x FROM y UNSEEN", message)
    assert message.read == []
    assert columns(key_of(b"SEEN UID 3")) == frozenset()
    assert columns(key_of(b"OR SUBJECT x NOT (SENTON 1-Jan-2020)")) == {Column.HEADER, Column.SENT}
    assert columns(key_of(b"TEXT x")) == {Column.HEADER, Column.TEXT}
    assert uses_modseq(key_of(b"OR SEEN NOT MODSEQ 5"))
    assert not uses_modseq(key_of(b"OR SEEN DRAFT"))


def test_many_text_keys_read_a_message_once() -> None:
    """Five hundred TEXT keys fold header and body one time each."""
    message = Message()
    assert not holds(b" ".join([b"NOT TEXT nowhere"] * 240 + [b"TEXT nowhere"]), message)
    assert message.read == ["header", "text"]


def test_header_values_are_whole_fields() -> None:
    """Folded, with the name in any case, never a part of another name."""
    assert header_values(HEADER, "to") == [b" a@example.org,\r\n\tb@example.org\r"]
    assert header_values(HEADER, "subject")[0].startswith(b" =?utf-8?b?")
    assert header_values(HEADER, "ject") == []
    assert header_values(b"A: 1\r\na : 2", "a") == [b" 1\r", b" 2"]


HEADERS = st.lists(
    st.sampled_from(["A", "a", "ab", "A-B", ":", " ", "\t", "\r\n", "\n", "x", "é"]), max_size=25
)


@settings(max_examples=300)
@given(HEADERS, st.sampled_from(["a", "ab", "a-b", "a ", "", ":", "é", "a:"]))
def test_the_quick_way_to_a_field_finds_what_the_plain_way_finds(pieces: list[str], field: str) -> None:
    """The search reads one field where the index reads all: both must mean the same."""
    header = "".join(pieces).encode()
    assert field_values(header, header.lower(), field) == header_values(header, field)


@pytest.mark.parametrize(
    ("text", "hold"),
    [
        (b"SAVEDON 14-Sep-2020", True),
        (b"SAVEDBEFORE 14-Sep-2020", False),
        (b"SAVEDSINCE 15-Sep-2020", False),
        (b"SAVEDATESUPPORTED", True),
        (b"EMAILID M1", True),
        (b"EMAILID m1", False),
        (b"THREADID T1", True),
        (b'FUZZY SUBJECT "biologie resultats"', True),
        (b'SUBJECT "biologie resultats"', False),
        (b"FUZZY SEEN", True),
        (b'SUBJECT "biologie "', False),
        (b'SUBJECT "de "', True),
        (b'TEXT ""', True),
        (b'HEADER Bcc ""', False),
        (b"UIDAFTER 39", True),
        (b"UIDAFTER 40", False),
        (b"UIDBEFORE 41", True),
        (b"UIDBEFORE 40", False),
        (b"UIDBEFORE 1", False),
        (b"UIDAFTER 4294967295", False),
    ],
)
def test_keys_of_extensions_and_needles_with_white_space(text: bytes, hold: bool) -> None:
    """RFC 8514, RFC 8474, RFC 6203, RFC 9738; white space at the end of a needle counts."""
    assert holds(text) is hold


@pytest.mark.parametrize(
    ("value", "day"),
    [
        (b"Fri, 20 Nov 2026 23:30:00 -0500", 20),
        (b"Sat, 21 Nov 2026 00:30:00 +1400", 21),
        (b"Fri Nov 20 23:30:00 2026", 20),
        (b"20 Nov 2026 23:30 EST (comment)", 20),
    ],
)
def test_sent_keys_compare_the_day_as_written(value: bytes, day: int) -> None:
    """Time and zone of the Date header are disregarded (RFC 9051 section 6.4.4)."""
    moment = written_date(value)
    assert moment is not None
    assert datetime.fromtimestamp(moment, UTC).day == day
    assert written_date(b"yesterday") is None


WILD = st.text(st.sampled_from("ab/*%"), max_size=9)


@settings(max_examples=400)
@given(WILD, st.text(st.sampled_from("ab/"), max_size=9))
def test_patterns_mean_what_a_regular_expression_says(pattern: str, name: str) -> None:
    """`*` is `.*`, `%` is `[^/]*`."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace("%", "[^/]*")
    assert pattern_matcher("", [pattern])(name) is (re.fullmatch(expression, name) is not None)


def test_a_set_with_a_star_below_its_other_numbers() -> None:
    """`2,*` in a mailbox whose last message is 1 names message 1."""
    match = compile_search(key_of(b"2:3,7,*"), last_number=1, last_uid=9)
    assert match(Message(number=1))
    assert not match(Message(number=4))


def test_hostile_patterns_end() -> None:
    """No exponential search."""
    assert not pattern_matcher("", ["%a" * 400])("a" * 399)
    assert pattern_matcher("", ["*a" * 400])("a" * 400)
    assert pattern_matcher("", ["inbox"])("INBOX")


BOXES = [
    Mailbox("INBOX", subscribed=True),
    Mailbox("Sent", "\\Sent", True),
    Mailbox("Work"),
    Mailbox("Work/2024", subscribed=True),
    Mailbox("Lost/Child"),
]


def test_plain_list_shows_children_special_use_and_missing_parents() -> None:
    """RFC 9051 section 6.3.9."""
    lines = list_mailboxes(BOXES, pattern_matcher("", ["%"]))
    assert lines == [
        Listed("INBOX", ("\\HasNoChildren",)),
        Listed("Sent", ("\\HasNoChildren", "\\Sent")),
        Listed("Work", ("\\HasChildren",)),
        Listed("Lost", ("\\NonExistent", "\\HasChildren"), (), False),
    ]


def test_recursive_match_brings_parents_with_childinfo() -> None:
    """RFC 5258 section 3.5: a parent of a subscribed mailbox that did not match the pattern itself."""
    lines = list_mailboxes(
        BOXES, pattern_matcher("", ["%"]), selection=frozenset({"SUBSCRIBED", "RECURSIVEMATCH"})
    )
    assert Listed("Work", ("\\HasChildren",), ("SUBSCRIBED",)) in lines
    assert [line.name for line in lines] == ["INBOX", "Sent", "Work"]
    special = list_mailboxes(BOXES, pattern_matcher("", ["*"]), selection=frozenset({"SPECIAL-USE"}))
    assert [line.name for line in special] == ["Sent"]
