"""After a few failures the next tries wait (ACC-3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mss_gateway.rules.slowdown import Slowdown, SlowdownOptions

OPTIONS = SlowdownOptions(free=3, first=1.0, most=8.0, forget=100.0, records=3)


def failing(times: int, at: float = 0.0) -> Slowdown:
    """A record of failures, all at one moment."""
    slowdown = Slowdown(OPTIONS)
    for _ in range(times):
        slowdown.failed("a", at)
    return slowdown


@pytest.mark.req("ACC-3")
@pytest.mark.parametrize(
    ("failures", "wait"), [(0, 0.0), (2, 0.0), (3, 1.0), (4, 2.0), (5, 4.0), (6, 8.0), (60, 8.0)]
)
def test_waits_double_up_to_the_most(failures: int, wait: float) -> None:
    """The first failures are free."""
    assert failing(failures).wait("a", 0.0) == wait


def test_a_wait_ends_and_the_record_is_forgotten() -> None:
    """Time passes as an argument."""
    slowdown = failing(4)
    assert slowdown.wait("a", 1.5) == 0.5
    assert slowdown.wait("a", 2.0) == 0.0
    slowdown.failed("a", 101.0)
    assert slowdown.wait("a", 101.0) == 0.0


def test_a_clock_set_back_lengthens_no_wait() -> None:
    """Times are the machine's own, so that they survive a restart; they may jump."""
    assert failing(4, at=1_000_000.0).wait("a", 0.0) == 2.0


def test_forgetting_clears_one_record_only() -> None:
    """Somebody else's guesses are not paid with one good login."""
    slowdown = failing(4)
    for _ in range(4):
        slowdown.failed("b", 0.0)
    assert slowdown.forget("b")
    assert not slowdown.forget("b")
    assert slowdown.wait("b", 0.0) == 0.0
    assert slowdown.wait("a", 0.0) == 2.0


@given(st.lists(st.text(max_size=3), max_size=40))
def test_memory_is_bounded(keys: list[str]) -> None:
    """The oldest records make room."""
    slowdown = Slowdown(OPTIONS)
    for at, key in enumerate(keys):
        slowdown.failed(key, float(at))
    assert len(slowdown) <= OPTIONS.records
