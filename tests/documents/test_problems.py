"""Every reason for which an archive is refused has its words: English for operators, French for who reads the reply."""

from __future__ import annotations

import pytest

from mss_gateway.documents.problems import PROBLEMS
from mss_gateway.rules.archive_texts import ARCHIVES
from mss_gateway.rules.meanings import meaning
from mss_gateway.rules.reasons import REASONS


@pytest.mark.req("INS-6")
def test_every_problem_has_its_french_sentence_and_no_sentence_is_without_a_problem() -> None:
    disagreements = {slug for slug in REASONS if slug.startswith("xdm-")}
    assert set(ARCHIVES) == set(PROBLEMS) | disagreements


@pytest.mark.req("INS-6", "AUD-2")
@pytest.mark.parametrize("slug", sorted(PROBLEMS))
def test_the_timeline_says_what_a_problem_means(slug: str) -> None:
    """An operator who reads the trace need not know the slugs."""
    assert slug not in meaning("refused", {"reason": slug})
    assert meaning("refused", {"reason": slug})
