"""Sequence numbers against a model: a client that applies what it is told."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mss_gateway.protocol.imap.sequence import MAX_NUMBER, STAR, SequenceSet, parse_sequence_set
from mss_gateway.protocol.imap.tracker import SequenceView


class Client(RuleBasedStateMachine):
    """The model is the client's own list, changed only by EXPUNGE numbers and EXISTS."""

    def __init__(self) -> None:
        super().__init__()
        self.view = SequenceView([3, 5, 9])
        self.client = [3, 5, 9]
        self.server = {3, 5, 9}
        self.next_uid = 10

    @rule(count=st.integers(0, 4), picks=st.lists(st.integers(0, 50), max_size=6), again=st.booleans())
    def change(self, count: int, picks: list[int], again: bool) -> None:
        """Messages come and go in one change; a repeated change says nothing new."""
        added = list(range(self.next_uid, self.next_uid + 2 * count, 2))
        self.next_uid += 2 * count + 1
        gone = [uid for uid in picks if uid in self.server] + [uid + 1000 for uid in picks]
        self.server = (self.server | set(added)) - set(gone)
        update = self.view.apply(added, gone)
        for number in update.expunged:
            del self.client[number - 1]
        if update.exists is not None:
            assert update.exists >= len(self.client)
            self.client += sorted(set(added) - set(gone))
            assert len(self.client) == update.exists
        if again:
            repeated = self.view.apply(added, gone)
            assert (repeated.expunged, repeated.exists) == ((), None)

    @invariant()
    def both_agree(self) -> None:
        """Numbers mean the same message on both sides."""
        assert list(self.view.uids) == self.client == sorted(self.server)
        for number, uid in enumerate(self.client, 1):
            assert self.view.number(uid) == number
            assert self.view.uid(number) == uid
        assert self.view.uid(0) is None
        assert self.view.uid(len(self.client) + 1) is None


Client.TestCase.settings = settings(max_examples=60, stateful_step_count=15, deadline=None)
TestClient = Client.TestCase

NUMBERS = st.one_of(st.integers(1, 30), st.just(STAR), st.just(MAX_NUMBER))


@settings(max_examples=300)
@given(
    st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=6),
    st.sets(st.integers(1, 25), max_size=12),
)
def test_uid_sets_name_what_the_rfc_says(pairs: list[tuple[int, int]], uids: set[int]) -> None:
    """Against the definition: `*` is the highest UID, ranges have no order, absent UIDs are ignored."""
    text = b",".join(b":".join(b"*" if end == STAR else b"%d" % end for end in pair) for pair in pairs)
    last = max(uids, default=0)
    wanted: set[int] = set()
    for pair in pairs:
        low, high = sorted(last if end == STAR else end for end in pair)
        wanted |= {uid for uid in uids if low <= uid <= high}
    view = SequenceView(sorted(uids))
    assert list(view.select(parse_sequence_set(text), uid=True)) == sorted(wanted)


@settings(max_examples=200)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=6), st.integers(0, 20))
def test_sequence_sets_name_messages_or_are_refused(pairs: list[tuple[int, int]], count: int) -> None:
    """Against the definition: a number above EXISTS is an error."""
    text = b",".join(b":".join(b"*" if end == STAR else b"%d" % end for end in pair) for pair in pairs)
    ends = [[count if end == STAR else end for end in pair] for pair in pairs]
    view = SequenceView(range(101, 101 + count))
    parsed = parse_sequence_set(text)
    # A number beyond the end is forgiven only in what `*` closes.
    if not count or any(high != STAR and high > count for _, high in parsed.ranges):
        with pytest.raises(ValueError):
            view.select(parsed, uid=False)
        return
    try:
        found = list(view.select(parsed, uid=False))
    except ValueError:
        raise AssertionError(text) from None
    wanted = {100 + n for pair in ends for n in range(min(*pair, count), min(max(pair), count) + 1)}
    assert set(found) == wanted
    assert found == sorted(found)


def test_hostile_sets_cost_their_length_and_no_more() -> None:
    """A whole 32-bit range, thousands of overlapping ranges: each message comes once."""
    view = SequenceView([10, 4_000_000_000])
    assert list(view.select(parse_sequence_set(b"1:4294967295"), uid=True)) == [10, 4_000_000_000]
    many = b",".join([b"1:*"] * 16000)
    assert list(view.select(parse_sequence_set(many), uid=False)) == [10, 4_000_000_000]
    assert parse_sequence_set(many) == SequenceSet(((1, STAR),))
    for bad in (b"", b"0", b"1:", b":1", b"1,,2", b"4294967296", b"01", b"1:2:3", b"1" * 5000, b"$,1"):
        with pytest.raises(ValueError):
            parse_sequence_set(bad)


def test_the_saved_result_forgets_what_vanished() -> None:
    """RFC 5182 section 2.1: `$` never names an expunged message."""
    view = SequenceView([1, 2, 3])
    view.save([2, 3])
    view.apply(vanished=[2])
    assert list(view.select(parse_sequence_set(b"$"), uid=False)) == [3]
