"""Sets of UIDs as a client that resynchronises sends and reads them, against plain Python sets."""

from __future__ import annotations

import re
from array import array
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.protocol.imap import fetching, responses
from mss_gateway.protocol.imap.cursor import Cursor, Malformed
from mss_gateway.protocol.imap.grammar import parse
from mss_gateway.protocol.imap.sequence import parse_sequence_set, ranges_of, window
from mss_gateway.protocol.imap.tracker import SequenceView

pytestmark = pytest.mark.req("IMP-1")
UIDS = st.sets(st.integers(1, 60)).map(sorted)


@given(UIDS)
def test_ranges_name_the_same_numbers_in_the_shortest_way(uids: list[int]) -> None:
    """Expanded again they are the list; two neighbours never touch."""
    ranges = ranges_of(uids)
    assert [number for low, high in ranges for number in range(low, high + 1)] == uids
    assert all(second[0] > first[1] + 1 for first, second in pairwise(ranges))


@given(
    UIDS, st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), min_size=1, max_size=5), st.booleans()
)
def test_overlap_is_the_intersection(uids: list[int], pairs: list[tuple[int, int]], endless: bool) -> None:
    """`n:*` reaches beyond every UID: vanished ones may lie above the last message."""
    text = ",".join(f"{low}:{high}" for low, high in pairs) + (",50:*" if endless else "")
    named = {uid for pair in pairs for uid in range(min(pair), max(pair) + 1)}
    named |= set(range(50, 61)) if endless else set()
    assert parse_sequence_set(text.encode()).overlap(array("L", uids)) == [
        uid for uid in uids if uid in named
    ]


@given(UIDS, st.integers(1, 70), st.integers(1, 70), st.booleans())
def test_windows_count_from_either_end(uids: list[int], first: int, last: int, backwards: bool) -> None:
    """1 is the first place, -1 the last one; both ends count, in any order (RFC 9394 section 4)."""
    places = range(min(first, last), max(first, last) + 1)
    if backwards:
        wanted = [uid for place, uid in enumerate(reversed(uids), 1) if place in places][::-1]
        assert list(window(uids, -first, -last)) == wanted
    else:
        wanted = [uid for place, uid in enumerate(uids, 1) if place in places]
        assert list(window(uids, first, last)) == wanted


def test_many_scattered_expunges_come_in_lines_of_bounded_length() -> None:
    """Together they name every UID once; no UIDs make no line."""
    uids = range(1, 4_000_000, 401)
    lines = responses.vanished_earlier([range(uid, uid + 1) for uid in uids]).split(b"\r\n")
    assert lines.pop() == b""
    assert len(lines) == 10
    assert all(len(line) < 25_000 and line.startswith(b"* VANISHED (EARLIER) ") for line in lines)
    assert [int(text) for line in lines for text in re.findall(rb"\d+", line)] == list(uids)
    assert responses.vanished([]) == responses.vanished_earlier([]) == b""
    assert responses.vanished([3, 4, 5, 9]) == b"* VANISHED 3:5,9\r\n"
    assert fetching.uidfetch(7, [b"FLAGS ()"]) == b"* 7 UIDFETCH (FLAGS ())\r\n"


@settings(max_examples=150)
@given(
    st.integers(0, 30),
    st.lists(
        st.tuples(st.integers(0, 3), st.sets(st.integers(1, 50), max_size=5), st.booleans()), max_size=6
    ),
)
def test_a_view_without_holes_is_the_same_view(count: int, changes: list[tuple[int, set[int], bool]]) -> None:
    """A range of UIDs and a table of them tell the client the same, whatever comes and goes."""
    dense, table = SequenceView(range(1, count + 1)), SequenceView(array("L", range(1, count + 1)))
    assert isinstance(dense.uids, range)
    following = count + 1
    for new, gone, gap in changes:
        following += gap
        added = range(following, following + new)
        following += new
        assert dense.apply(added, gone) == table.apply(added, gone)
        assert list(dense.uids) == list(table.uids)
        numbers = [table.number(uid) for uid in range(60)]
        assert [dense.number(uid) for uid in range(60)] == numbers
        assert dense.numbers(range(60)) == table.numbers(range(60)) == [number or 0 for number in numbers]
        assert table.numbers(reversed(range(60))) == [number or 0 for number in reversed(numbers)]


def test_what_follows_a_range_without_a_hole_keeps_it_a_range() -> None:
    """A mailbox into which mail only arrives costs nothing, however large."""
    view = SequenceView(range(1, 1_000_001))
    assert view.apply([1_000_001, 1_000_002]).exists == 1_000_002
    assert isinstance(view.uids, range)
    assert view.apply(vanished=[500_000]).expunged == (500_000,)
    assert len(view) == 1_000_001
    assert view.number(1_000_002) == 1_000_001


@pytest.mark.parametrize(
    "line",
    [
        b"FETCH 1 (FLAGS) (PARTIAL 1:2 PARTIAL 1:2)",
        b"FETCH 1 (FLAGS) (PARTIAL -1:2)",
        b"FETCH 1 (FLAGS) (PARTIAL 0:2)",
        b"FETCH 1 (FLAGS) (PARTIAL 1:2x)",
        b"FETCH 1 (FLAGS) (PARTIAL 1:99999999999)",
        b"FETCH 1 (FLAGS) (CHANGEDSINCE 1 CHANGEDSINCE 2)",
        b"FETCH 1 (FLAGS) (CHANGEDSINCE 9223372036854775808)",
        b"FETCH 1 (FLAGS) ()",
        b"FETCH 1 (FLAGS) (SOMETHING)",
        b"SELECT x (QRESYNC (1 2 $))",
        b"SELECT x (QRESYNC (1 2 1:*))",
        b"SELECT x (QRESYNC (1 2 1:3 (1:2 1:3)))",
        b"SELECT x (QRESYNC (1 2 (1 1) 1:3))",
        b"SELECT x (QRESYNC (1))",
    ],
)
def test_malformed_modifiers_are_refused(line: bytes) -> None:
    """Each is a syntax error, answered with BAD."""
    verb, _, rest = line.partition(b" ")
    with pytest.raises(Malformed):
        parse(verb.decode(), Cursor([b" " + rest], []))
