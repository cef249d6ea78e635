"""Retries and what people read of them (QUE-1, QUE-2, RCP-1)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.rules import dsn_texts
from mss_gateway.rules.dsn_texts import Missed, explain, failure, span
from mss_gateway.rules.retry import Attempted, GiveUp, RetryOptions, WaitUntil, after_failure, wait

NOW = 1_790_000_000.0
HOUR = 3600.0
dice = st.floats(0, 1, exclude_max=True)
options = st.builds(
    RetryOptions,
    first=st.floats(1, 600),
    most=st.floats(600, 20_000),
    lifetime=st.floats(HOUR, 20 * 24 * HOUR),
    warn_after=st.floats(60, 10 * 24 * HOUR),
)


@pytest.mark.req("QUE-2")
@given(st.integers(1, 10**9), options, dice)
@settings(max_examples=200)
def test_waits_double_up_to_the_longest(attempts: int, choice: RetryOptions, roll: float) -> None:
    """Never under three quarters of the first nor over five quarters of the longest, and never shorter later on."""
    first, here, later = (wait(turn, choice, roll) for turn in (1, attempts, attempts + 1))
    assert 0.75 * choice.first <= first <= here <= later <= 1.25 * choice.most
    if later < 0.75 * choice.most:
        assert later == pytest.approx(2 * here)


@pytest.mark.req("QUE-2")
def test_waits_are_spread_by_the_dice() -> None:
    """Letters that failed together do not all come back together."""
    assert wait(1, RetryOptions(), 0.0) == 45.0
    assert wait(1, RetryOptions(), 0.5) == 60.0
    assert wait(3, RetryOptions(), 0.5) == 240.0
    assert wait(50, RetryOptions(), 0.5) == 3600.0


attempts = st.builds(
    Attempted,
    attempts=st.integers(1, 5000),
    queued_at=st.just(NOW),
    now=st.floats(NOW, NOW + 30 * 24 * HOUR),
    permanent=st.booleans(),
    warned=st.booleans(),
    asked_again=st.one_of(st.just(0.0), st.floats(NOW, NOW + 31 * 24 * HOUR)),
)


@pytest.mark.req("QUE-1", "RCP-1")
@given(attempts, options, dice)
@settings(max_examples=400)
def test_every_failure_leads_somewhere(attempted: Attempted, choice: RetryOptions, roll: float) -> None:
    """Given up for good or in the end, else later; both reports in time and the delay one at most once."""
    decision = after_failure(attempted, choice, roll)
    end = attempted.queued_at + choice.lifetime
    if isinstance(decision, GiveUp):
        assert attempted.permanent or attempted.now >= end
        assert decision.expired is not attempted.permanent
        return
    assert not attempted.permanent
    assert attempted.now <= decision.at <= end
    warn_at = attempted.queued_at + choice.warn_after
    assert decision.warn == (not attempted.warned and attempted.now >= warn_at)
    if not attempted.warned and not decision.warn:
        assert decision.at <= warn_at


@pytest.mark.req("QUE-1", "RCP-1")
@given(options, st.lists(dice, min_size=1, max_size=5))
@settings(max_examples=60)
def test_a_life_of_failures_has_one_warning_and_one_end(choice: RetryOptions, rolls: list[float]) -> None:
    """Followed attempt by attempt: time goes on, the warning is on time, the end is the lifetime's."""
    now, attempt, warnings = NOW, 0, []
    while True:
        attempt += 1
        tried = Attempted(attempt, NOW, now, warned=bool(warnings))
        decision = after_failure(tried, choice, rolls[attempt % len(rolls)])
        if isinstance(decision, GiveUp):
            break
        if decision.warn:
            warnings.append(now)
        assert decision.at > now
        now = decision.at
    assert now == NOW + choice.lifetime
    assert warnings == ([NOW + choice.warn_after] if choice.warn_after < choice.lifetime else [])


@pytest.mark.req("QUE-2")
def test_all_that_waits_for_a_dead_domain_waits_for_the_same_moment() -> None:
    """Whatever its own count of attempts says."""
    decisions = {
        after_failure(Attempted(count, NOW, NOW + 1, asked_again=NOW + 500), RetryOptions(), 0.3)
        for count in (1, 5, 50)
    }
    assert decisions == {WaitUntil(NOW + 500, warn=False)}


KNOWN = {
    "no-mx": "introuvable",
    "null-mx": "introuvable",
    "dns-failure": "introuvable",
    "connect-refused": "ne répond pas",
    "connect-timeout": "ne répond pas",
    "timeout": "ne répond pas",
    "no-starttls": "espace de confiance",
    "tls-failure": "espace de confiance",
    "certificate-revoked": "espace de confiance",
    "crl-stale": "espace de confiance",
    "dn-not-listed": "espace de confiance",
    "issuer-unknown": "espace de confiance",
    "peer-temporary": "pour l'instant",
    "peer-refused": "a refusé",
    "peer-needs-smtputf8": "accentués",
    "too-large-for-peer": "volumineux",
    "lost-after-data": "confirme la réception",
    "never-heard-of": "pour l'instant",
}


@pytest.mark.req("RCP-1")
@pytest.mark.parametrize("reason", KNOWN)
def test_each_family_of_reasons_has_its_sentence(reason: str) -> None:
    """One sentence why, one what to do; neither ends a sentence that the report goes on with."""
    explained = explain(reason)
    assert KNOWN[reason] in explained.why
    assert not explained.why.endswith(".")
    assert not explained.remedy.endswith(".")


@pytest.mark.req("RCP-1")
@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("5.1.1", "n'existe pas"),
        ("5.2.1", "fermée"),
        ("5.2.2", "pleine"),
        ("4.2.2", "pleine"),
        ("5.3.4", "volumineux"),
    ],
)
def test_the_peers_status_says_more_than_the_slug(status: str, words: str) -> None:
    """RFC 3463 codes are what operators really send."""
    slug = "peer-refused" if status.startswith("5") else "peer-temporary"
    assert words in explain(slug, status).why


@pytest.mark.req("RCP-1")
def test_a_report_names_the_address_the_cause_and_what_to_do() -> None:
    """As a reader sees it."""
    text = failure([Missed("absent@nord.example", "peer-refused", "5.1.1")])
    assert text == (
        "Bonjour,\n\n"
        "Votre message n'a pas pu être remis :\n\n"
        "- absent@nord.example\n"
        "  Cause : cette adresse n'existe pas chez l'opérateur du destinataire.\n"
        "  Que faire : vérifiez l'adresse dans l'Annuaire Santé ou auprès de votre correspondant, puis renvoyez votre "
        "message.\n\n"
        "Ce message est automatique, merci de ne pas y répondre.\n"
    )


@pytest.mark.req("RCP-1")
def test_an_uncertain_message_is_said_to_have_perhaps_arrived() -> None:
    """So that nobody sends it twice without asking; once is enough."""
    other = failure([Missed("a@nord.example", "connect-timeout", maybe=True)], 5 * 24 * HOUR)
    assert "pendant 5 jours" in other
    assert other.count("demandez") == 1
    assert failure([Missed("a@nord.example", "lost-after-data", maybe=True)]).count("demandez") == 1


def test_lengths_of_time_read_as_people_say_them() -> None:
    """Hours up to two days, days after."""
    assert [span(hours * HOUR) for hours in (0, 1, 4, 36, 48, 120)] == [
        "1 heure",
        "1 heure",
        "4 heures",
        "36 heures",
        "2 jours",
        "5 jours",
    ]


@given(
    st.lists(
        st.builds(
            Missed,
            st.just("a@nord.example"),
            st.sampled_from(sorted(KNOWN)),
            st.text(max_size=8),
            st.booleans(),
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=60)
def test_no_report_breaks_on_what_a_peer_says(missed: list[Missed]) -> None:
    """Any status, known or not; every text opens and closes politely."""
    texts = (failure(missed), failure(missed, 9.0), dsn_texts.delay(missed, 5 * HOUR, HOUR))
    for text in (*texts, dsn_texts.relayed([one.address for one in missed])):
        assert text.startswith("Bonjour,\n")
        assert text.endswith("merci de ne pas y répondre.\n")
        assert text.count("a@nord.example") == len(missed)
