"""The record of fetches: kept, bounded in its waits, and never a reason not to start (TRU-3)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.trust.fetch import Marks
from mss_gateway.trust.refusals import TrustProblem
from mss_gateway.trust.schedule import FILE, FIRST_RETRY, Fetch, Schedule

pytestmark = pytest.mark.req("TRU-3")
URL = "https://liste.exemple.fr/liste.xml"
NOW = 1_790_000_000.0
EVERY = 14_400.0
PROBLEM = TrustProblem("fetch-timeout", "too slow")


def test_an_unknown_address_is_due() -> None:
    """And has an empty record."""
    schedule = Schedule(None)
    assert schedule.is_due(URL, EVERY, NOW)
    assert schedule.of(URL) == Fetch(URL)


def test_a_success_waits_for_the_interval_with_some_jitter(tmp_path: Path) -> None:
    """Up to a tenth early, not all at one moment, and the same after a restart."""
    dues = set()
    for number in range(20):
        url = f"{URL}?{number}"
        schedule = Schedule(tmp_path)
        schedule.succeeded(url, Marks('"e"', "date"), EVERY, NOW)
        again = Schedule(tmp_path)
        assert again.of(url) == schedule.of(url)
        assert again.of(url).marks == Marks('"e"', "date")
        assert not again.is_due(url, EVERY, NOW + 0.89 * EVERY)
        assert again.is_due(url, EVERY, NOW + EVERY)
        dues.add(again.of(url).due)
    assert len(dues) > 10


def test_a_clock_that_goes_back_and_a_shorter_interval_make_it_due() -> None:
    """What was noted in the future says nothing."""
    schedule = Schedule(None)
    schedule.succeeded(URL, Marks(), EVERY, NOW)
    assert schedule.is_due(URL, EVERY, NOW - 86400)
    assert schedule.is_due(URL, 600.0, NOW + 60)
    assert not schedule.is_due(URL, EVERY, NOW + 60)


@pytest.mark.parametrize("every", [10.0, 300.0, EVERY])
def test_failures_wait_longer_each_time_up_to_the_interval(every: float) -> None:
    """However many there are; an interval below the first wait does not shorten it."""
    schedule = Schedule(None)
    longest = 0.0
    for _ in range(200):
        schedule.failed(URL, PROBLEM, every, NOW, content=False)
        longest = max(longest, schedule.of(URL).due - NOW)
    assert 0.9 * max(every, FIRST_RETRY) <= longest <= max(every, FIRST_RETRY) + 0.001  # of NOW's last digits
    assert schedule.of(URL).failures == 200


def test_two_faults_are_told_apart_and_lifted_by_a_success() -> None:
    """Not fetched, and fetched but bad."""
    schedule = Schedule(None)
    schedule.failed(URL, TrustProblem("list-signature", "bad"), EVERY, NOW, content=True)
    schedule.failed(URL, PROBLEM, EVERY, NOW, content=False)
    record = schedule.of(URL)
    assert (record.refused, record.reason) == ("list-signature", "fetch-timeout")
    schedule.unchanged(URL, EVERY, NOW)
    assert (schedule.of(URL).refused, schedule.of(URL).reason) == ("list-signature", "")
    schedule.forgive(URL)
    assert schedule.of(URL).refused == ""
    schedule.failed(URL, TrustProblem("list-signature", "bad"), EVERY, NOW, content=True)
    schedule.succeeded(URL, Marks(), EVERY, NOW)
    assert (schedule.of(URL).refused, schedule.of(URL).failures) == ("", 0)


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
            ),
            max_leaves=8,
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_a_record_that_cannot_be_read_makes_everything_due(tmp_path_factory: object, data: bytes) -> None:
    """Whatever a disk made of it."""
    folder = tmp_path_factory.mktemp("state")  # type: ignore[attr-defined]
    (folder / FILE).write_bytes(data)
    schedule = Schedule(folder)
    assert schedule.is_due(URL, EVERY, NOW)
    schedule.succeeded(URL, Marks(), EVERY, NOW)
    assert Schedule(folder).of(URL).fetched == NOW


@pytest.mark.parametrize("name", ["tried", "etag", "failures", "url"])
def test_a_record_with_a_strange_field_is_not_believed(tmp_path: Path, name: str) -> None:
    """A field of another kind, or none."""
    schedule = Schedule(tmp_path)
    schedule.succeeded(URL, Marks(), EVERY, NOW)
    lines = json.loads((tmp_path / FILE).read_bytes())
    lines[0][name] = ["x"]
    (tmp_path / FILE).write_text(json.dumps(lines))
    assert Schedule(tmp_path).of(URL) == Fetch(URL)
    del lines[0][name]
    (tmp_path / FILE).write_text(json.dumps(lines))
    assert Schedule(tmp_path).of(URL) == Fetch(URL)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """The records live on in memory."""
    folder = tmp_path / "state"
    folder.write_text("in the way")
    schedule = Schedule(folder)
    schedule.succeeded(URL, Marks(), EVERY, NOW)
    assert schedule.fault is not None
    assert schedule.fault.reason == "state-not-kept"
    assert not schedule.is_due(URL, EVERY, NOW)
