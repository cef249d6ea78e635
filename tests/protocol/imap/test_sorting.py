"""The order of SORT: collation, keys, reverse, ties (RFC 5051, RFC 5256, RFC 5957)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.mail.imaptext import envelope_of
from mss_gateway.mail.message import Header
from mss_gateway.mail.subject import base_subject, split_subject
from mss_gateway.protocol.imap.collation import backwards, casemap
from mss_gateway.protocol.imap.commands_sort import Criterion, SortKey
from mss_gateway.protocol.imap.sorting import SortRow, key_maker


@pytest.mark.req("IMP-1")
@pytest.mark.parametrize(
    ("text", "mapped"),
    [
        ("abc", "ABC"),
        ("é", "E\u0301"),
        ("É", "E\u0301"),
        ("e\u0301", "E\u0301"),
        ("ß", "ß"),
        ("ﬁ", "fi"),
        ("ǆ", "Dz\u030c"),
        ("ǅ", "Dz\u030c"),
        ("Ǆ", "Dz\u030c"),
        ("µ", "\u039c"),
        ("ΐ", "ι\u0308\u0301"),
        ("ﬃx", "ffiX"),
        ("½", "1\u20442"),
        ("한", "한"),
    ],
)
def test_casemap_is_title_case_then_decomposition(text: str, mapped: str) -> None:
    """One character becomes one in title case; what decomposes does so to the end."""
    assert casemap(text) == mapped


@settings(max_examples=200)
@given(st.text(), st.text())
def test_the_order_is_that_of_octets_in_utf8_and_backwards_its_reverse(left: str, right: str) -> None:
    """Code points and UTF-8 order alike; the reversed key reverses."""
    one, two = (casemap(text).replace("\0", "") for text in (left, right))
    if "\ud800" <= max(one + two, default="") <= "\udfff":
        return
    assert (one < two) == (one.encode() < two.encode())
    assert (one < two) == (backwards(one) > backwards(two))


@pytest.mark.req("IMP-1")
@pytest.mark.parametrize(
    ("subject", "base", "reply"),
    [
        ("bilan", "bilan", False),
        ("Re: bilan", "bilan", True),
        ("RE : bilan", "bilan", True),
        ("re[2]: bilan", "bilan", True),
        ("Fwd: Fw: bilan", "bilan", True),
        ("[liste] Re: bilan", "bilan", True),
        ("[liste] bilan", "bilan", False),
        ("[liste]", "[liste]", False),
        ("Re: [liste]", "[liste]", True),
        ("[a] [b] Re: [c] bilan (fwd) (FWD)", "bilan", True),
        ("[fwd: bilan]", "bilan", True),
        ("[Fwd: Re: [x] bilan (fwd)]", "bilan", True),
        ("  bilan \t annuel  ", "bilan annuel", False),
        ("réponse: bilan", "réponse: bilan", False),
        ("res: bilan", "res: bilan", False),
        ("Re:", "", True),
        ("", "", False),
        ("[fwd: [fwd: x]]", "x", True),
        ("Re: Re:Re:   Re: x", "x", True),
    ],
)
def test_base_subjects(subject: str, base: str, reply: bool) -> None:
    """RFC 5256 section 2.1: leaders, blobs, trailers and [fwd: …] go; they say that it is an answer, blobs do not."""
    assert split_subject(subject) == (base, reply)
    assert base_subject(base) == base


def row(
    uid: int, header: str = "", date: float | None = None, arrived: float = 0.0, size: int = 1
) -> SortRow:
    """What the store gives for a message."""
    raw = header.encode() + b"\r\n\r\n"
    subject = next((line[9:] for line in header.split("\r\n") if line.startswith("Subject: ")), "")
    return SortRow(uid, arrived, date, size, base_subject(subject), envelope_of(Header(raw)))


def order(rows: list[SortRow], text: str) -> list[int]:
    """UIDs in the order of criteria as they stand in a command."""
    criteria, reverse = [], False
    for word in text.split():
        if word == "REVERSE":
            reverse = True
            continue
        criteria.append(Criterion(SortKey(word), reverse))
        reverse = False
    return [key[-1] for key in sorted(map(key_maker(criteria), rows))]  # type: ignore[misc]


@pytest.mark.req("IMP-1")
def test_keys_reverse_and_ties() -> None:
    """Each key by what the RFC says it compares; equal ones by number, in reverse too."""
    rows = [
        row(1, "From: zoe@a.example\r\nTo: Beth <x@a.example>\r\nSubject: Re: Éclair", 300.0, 10.0, 5),
        row(2, "From: Anna <Adam@a.example>\r\nTo: x@b.example\r\nSubject: eclair", None, 200.0, 7),
        row(3, 'From: "Zoe" <adam@b.example>\r\nCc: a@a.example\r\nSubject: [x] avis', 100.0, 30.0, 5),
        row(4, "From: =?utf-8?q?=C3=89mile?= <emile@a.example>\r\nTo: equipe: a@b.example;", 100.0, 40.0, 1),
        row(5),
    ]
    assert order(rows, "ARRIVAL") == [5, 1, 3, 4, 2]
    assert order(rows, "DATE") == [5, 3, 4, 2, 1]
    assert order(rows, "REVERSE DATE") == [1, 2, 3, 4, 5]
    assert order(rows, "SIZE") == [4, 5, 1, 3, 2]
    assert order(rows, "REVERSE SIZE REVERSE DATE") == [2, 1, 3, 4, 5]
    assert order(rows, "SUBJECT") == [4, 5, 3, 2, 1]
    assert order(rows, "REVERSE SUBJECT") == [1, 2, 3, 4, 5]
    assert order(rows, "FROM") == [5, 2, 3, 4, 1]
    assert order(rows, "REVERSE FROM SIZE") == [1, 4, 3, 2, 5]
    assert order(rows, "CC") == [1, 2, 4, 5, 3]
    assert order(rows, "TO") == [3, 5, 4, 1, 2]
    assert order(rows, "DISPLAYFROM") == [5, 2, 4, 3, 1]
    assert order(rows, "DISPLAYTO") == [3, 5, 1, 4, 2]


@given(
    st.lists(st.sampled_from(["a <b@c.example>", '"A\\"(" <x>', "g: b@c, d@e;", "(x) y@z", ",,", "é@é", '"']))
)
def test_first_addresses_are_found_in_any_envelope(addresses: list[str]) -> None:
    """What `mail.imaptext` writes is read; many addresses never hide the fields after them."""
    many = ", ".join(addresses)
    rows = [
        row(1, f'From: {many}\r\nTo: {many}\r\nCc: zz@b.example\r\nSubject: "(\\'),
        row(2, f"From: {many}\r\nSender: {many}\r\nCc: aa@b.example"),
    ]
    assert order(rows, "CC") == [2, 1]


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.sampled_from([None, 1.0, 2.0]), st.sampled_from(["a", "B", "é", ""])), max_size=12),
    st.lists(
        st.tuples(st.sampled_from([SortKey.DATE, SortKey.SUBJECT, SortKey.SIZE]), st.booleans()), min_size=1
    ),
)
def test_an_order_is_a_stable_permutation(
    letters: list[tuple[float | None, str]], chosen: list[tuple[SortKey, bool]]
) -> None:
    """Sorting by the last key first, each time stably, gives the same: keys do not disturb one another."""
    rows = [SortRow(uid, 1.5, date, 1, text) for uid, (date, text) in enumerate(letters, 1)]
    expected = list(rows)
    for key, reverse in reversed(chosen):
        single = key_maker([Criterion(key)])
        expected.sort(key=lambda one: single(one)[:-1], reverse=reverse)
    criteria = [Criterion(key, reverse) for key, reverse in chosen]
    assert sorted(rows, key=key_maker(criteria)) == expected
