"""The tour says what it saw, stops at the first step that does not hold, and its status tells."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from mss_gateway.dev import wire
from mss_gateway.dev.handout import Credential, Handout, Patients, Ports
from mss_gateway.dev.steps import STEPS
from mss_gateway.dev.tour import Stage, Step, TourFailed, expect_refusal, run

NOBODY = Credential("", "")
ONE = Handout(Ports(1, 2, 3, 4, 5), "", NOBODY, NOBODY, (), Patients("", "", ""), "", "")
THREE = Handout(
    Ports(1, 2, 3, 4, 5), "", NOBODY, NOBODY, (), Patients("", "", ""), "", "", patient_operator=ONE
)


def good(_: Stage) -> str:
    """A step that holds."""
    return "[seen]"


def refused(_: Stage) -> str:
    """A step that ends with a reply nobody expected."""
    raise wire.Refused("550 5.7.1 no")


def played(handout: Handout, *steps: Step) -> tuple[int, str]:
    """Status and what was printed."""
    printed = io.StringIO()
    return run(handout, steps, Console(file=printed, width=200)), printed.getvalue()


def test_all_steps_hold() -> None:
    """Each title with its evidence, brackets kept; the last line counts."""
    status, said = played(ONE, Step("First", good), Step("Second", good))
    assert status == 0
    assert said.count("[seen]") == 2
    assert said.splitlines()[-1].startswith("tour: 2 of 2 steps passed in ")


def test_it_stops_at_the_first_that_does_not() -> None:
    """What it said is shown, what follows is not tried, the status is 1."""
    status, said = played(ONE, Step("First", good), Step("Second", refused), Step("Third", good))
    assert status == 1
    assert "Refused: 550 5.7.1 no" in said
    assert "Third" not in said
    assert said.splitlines()[-1] == "tour: 1 of 3 steps passed, step 2 failed"


def test_steps_with_other_operators_need_them() -> None:
    """One gateway alone leaves them out, and does not count them."""
    steps = Step("First", good), Step("Second", good, three=True)
    assert "1 of 1 steps" in played(ONE, *steps)[1]
    assert "2 of 2 steps" in played(THREE, *steps)[1]


def test_what_must_be_refused_and_is_not_fails() -> None:
    """Accepted, or refused for another reason."""
    with pytest.raises(TourFailed, match="accepted"):
        expect_refusal(lambda: "250", "550")
    with pytest.raises(TourFailed, match=r"not with '5\.1\.3'"):
        expect_refusal(lambda: refused(Stage(ONE)), "550", "5.1.3")
    assert expect_refusal(lambda: refused(Stage(ONE)), "550", "5.7.1") == "550 5.7.1 no"


def test_every_step_of_the_tour_names_its_rules() -> None:
    """A title that no other step has, and the requirement ids in the sentence of its function."""
    titles = [step.title for step in STEPS]
    assert len(set(titles)) == len(titles)
    without = [
        step.play.__name__ for step in STEPS if not (step.play.__doc__ or "").partition(":")[0][-1:].isdigit()
    ]
    assert without == []
