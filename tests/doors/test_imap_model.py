"""Four clients of two people on one shared box against a model: what each must believe (RFC 9051, RFC 7162, BAL-3)."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.support.imapmodel import Ground, ground
from tests.support.imapvisits import Visits

EXAMPLES = int(os.environ.get("MSS_MODEL_EXAMPLES", "0"))
"""So many examples from a random seed instead of the few fixed ones."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A gateway with a shared box."""
    with ground(tmp_path_factory.mktemp("model")) as made:
        yield made


def run(place: Ground, examples: int, *, random: bool = False) -> None:
    """Drive the machine; without `random` always the same way, and a failure is told as it was found."""

    class OnPlace(Visits):
        pass

    OnPlace.ground = place
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        OnPlace,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            derandomize=not random,
            database=None,
            phases=(Phase.generate, Phase.shrink) if random else (Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(0 if EXAMPLES else 120)
@pytest.mark.req("IMP-1", "BAL-3")
def test_every_client_always_believes_what_is_true(place: Ground) -> None:
    """Numbers never point to another message's octets, everybody hears everything, and who comes back too."""
    run(place, EXAMPLES or 60, random=bool(EXAMPLES))
