"""UIDs held as runs are the same as a plain list of them, whatever is asked and whatever changes."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.protocol.imap import uidruns
from mss_gateway.protocol.imap.sequence import parse_sequence_set
from mss_gateway.protocol.imap.tracker import SequenceView
from mss_gateway.protocol.imap.uidruns import (
    UidRuns,
    Uids,
    fitting,
    place_of,
    runs_among,
    runs_between,
    runs_of,
    runs_without,
    with_more,
    without,
)

holes = st.sets(st.integers(1, 40), max_size=25)
places = st.integers(-50, 50)


@pytest.fixture(autouse=True, scope="module", params=[1, 64], ids=["runs", "table"])
def length(request: pytest.FixtureRequest) -> Iterator[None]:
    """Both forms: with 64, so few UIDs become a table as soon as there is a hole."""
    with mock.patch.object(uidruns, "LENGTH", request.param):
        yield


def with_holes(gone: Iterable[int], after: int) -> Uids:
    """All UIDs below `after` without some, in the form that fits."""
    return fitting(runs_between([range(uid, uid + 1) for uid in gone], after))


def of(gone: set[int]) -> tuple[Uids, list[int]]:
    """UIDs 1 to 40 without some, in the form that fits, and as a list."""
    return with_holes(sorted(gone), 41), [uid for uid in range(1, 41) if uid not in gone]


@settings(max_examples=150, deadline=None)
@given(
    gone=holes,
    place=places,
    start=st.none() | places,
    stop=st.none() | places,
    step=st.sampled_from([1, -1, 3]),
)
def test_it_reads_as_the_list(
    gone: set[int], place: int, start: int | None, stop: int | None, step: int
) -> None:
    """Length, places, slices, membership, and where a UID would be."""
    uids, model = of(gone)
    assert list(uids) == model
    assert len(uids) == len(model)
    assert list(uids[start:stop:step]) == model[start:stop:step]
    assert place_of(uids, place) == bisect_left(model, place)
    assert (place in uids) == (place in model)
    if -len(model) <= place < len(model):
        assert uids[place] == model[place]
    else:
        with pytest.raises(IndexError):
            uids[place]


@settings(max_examples=150, deadline=None)
@given(gone=holes, first=st.sets(st.integers(0, 39)), more=st.sets(st.integers(41, 60), max_size=8))
def test_changes_are_those_of_the_list(gone: set[int], first: set[int], more: set[int]) -> None:
    """Messages go, others come behind."""
    uids, model = of(gone)
    going = sorted(place for place in first if place < len(model))
    uids = without(uids, going)
    model = [uid for place, uid in enumerate(model) if place not in first]
    assert list(uids) == model
    assert list(with_more(uids, sorted(more))) == [*model, *sorted(more)]


@settings(max_examples=150, deadline=None)
@given(gone=holes, others=holes, numbers=st.sampled_from(["1:*", "3,7:9,30:*", "*", "38:50", "5:1"]))
def test_runs_are_cut_as_the_uids_are(gone: set[int], others: set[int], numbers: str) -> None:
    """What is in a set of the client's, and what is left of it without other UIDs; no run is empty."""
    uids, model = of(gone)
    named = parse_sequence_set(numbers.encode())
    chosen = runs_among(uids, named)
    assert [uid for run in chosen for uid in run] == named.overlap(model)
    left = runs_without(chosen, of(others)[0])
    assert [uid for run in left for uid in run] == [uid for uid in named.overlap(model) if uid in others]
    assert all(chosen)
    assert all(left)
    assert runs_of(uids) == runs_of(array("L", model))


@settings(max_examples=100, deadline=None)
@given(gone=holes, numbers=st.sampled_from(["1:*", "3,7:9,30:*", "*", "38:50", "5:1"]), vanished=holes)
def test_a_view_on_runs_is_a_view_on_a_table(gone: set[int], numbers: str, vanished: set[int]) -> None:
    """Whatever form the UIDs have, the session's numbers are the same."""
    uids, model = of(gone)
    runs, table = SequenceView(uids), SequenceView(model)
    named = parse_sequence_set(numbers.encode())
    assert [runs.number(uid) for uid in range(45)] == [table.number(uid) for uid in range(45)]
    assert runs.numbers(range(45)) == table.numbers(range(45))
    assert list(runs.select(named, uid=True)) == list(table.select(named, uid=True))
    assert runs.apply([50, 51, 53], vanished) == table.apply([50, 51, 53], vanished)
    assert list(runs.uids) == list(table.uids)
    assert list(runs.select(named, uid=True)) == list(table.select(named, uid=True))


def test_a_million_messages_with_few_holes_stay_runs() -> None:
    """Opening such a mailbox, and taking a message out of it, must not cost 8 octets for each."""
    view = SequenceView(with_holes(range(997, 1_000_000, 997), 1_000_001))
    assert isinstance(view.uids, UidRuns)
    view.apply(vanished=[500_000])
    assert isinstance(view.uids, UidRuns)
    assert view.number(500_001) == 500_001 - 501 - 1


def test_many_holes_make_a_table() -> None:
    """Each change makes all runs anew: with many of them a table is cheaper."""
    assert isinstance(fitting([range(at, at + 1) for at in range(1, 100_000, 2)]), array)


def test_runs_that_do_not_ascend_are_refused() -> None:
    """They would give wrong numbers."""
    for wrong in ([range(5, 9), range(8, 12)], [range(3, 3)], [range(1, 9, 2)]):
        with pytest.raises(ValueError, match="run"):
            UidRuns(wrong)
