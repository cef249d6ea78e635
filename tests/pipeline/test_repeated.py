"""One line a minute about the same, with the count of the others; bounded memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mss_gateway.pipeline.repeated import Repeated


def test_the_first_is_written_and_the_next_after_the_pause_counts_the_others() -> None:
    """Each key by itself."""
    repeated = Repeated(pause=60.0)
    assert repeated.left_out(("a",), 100.0) == 0
    assert [repeated.left_out(("a",), at) for at in (100.0, 130.0, 159.9)] == [None, None, None]
    assert repeated.left_out(("b",), 131.0) == 0
    assert repeated.left_out(("a",), 160.0) == 3
    assert repeated.left_out(("a",), 221.0) == 0


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 30)), max_size=200))
def test_every_one_is_written_or_counted(heard: list[tuple[str, float]]) -> None:
    """Nothing is lost but what no later line has told yet."""
    repeated, now = Repeated(pause=60.0), 1000.0
    written = counted = 0
    for key, step in heard:
        now += step
        found = repeated.left_out((key,), now)
        written += found is not None
        counted += found or 0
    # More than the pause: a sum of floats may be a hair less than its parts.
    last = sum(repeated.left_out((key,), now + 61.0) or 0 for key in "abcdef")
    assert written + counted + last == len(heard)


def test_many_sources_take_no_more_than_the_bound() -> None:
    """The one that was heard of longest ago is forgotten."""
    repeated = Repeated(keys=100)
    for number in range(1000):
        assert repeated.left_out((str(number),), 1.0) == 0
    assert len(repeated._written) == 100
