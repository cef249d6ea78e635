"""The fuzz targets with a fixed seed, and proof that the engine finds and shrinks what is wrong."""

from __future__ import annotations

from collections.abc import Hashable

import pytest

from .engine import Target, fuzz
from .targets import TARGETS

EXECUTIONS = {"framing": 600, "grammar": 8000, "search": 5000, "mime": 500, "order": 500}


@pytest.mark.req("IMP-1")
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_promises_hold_for_inputs_of_a_fixed_seed(target: Target) -> None:
    """Nothing but what is allowed escapes; `scripts/fuzz` goes on where this ends."""
    count, failures = fuzz(target, seed=20261121, executions=EXECUTIONS[target.name])
    assert count == EXECUTIONS[target.name]
    assert failures == []


def test_the_engine_finds_a_fault_and_makes_its_input_small() -> None:
    """Two words of the dictionary in order are found step by step, since each new step is kept."""

    def run(data: bytes) -> Hashable:
        head, first, rest = data.partition(b"open")
        if first and b"close" in rest:
            raise ValueError(head)
        return bool(first)

    target = Target("toy", run, (b"some text to begin with",), (b"open", b"close", b"other"))
    _, failures = fuzz(target, seed=1, executions=2000)
    assert [failure.data for failure in failures] == [b"openclose"]
    assert failures[0].error.startswith("ValueError at run")
