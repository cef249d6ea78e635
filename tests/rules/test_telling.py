"""What the timeline tells of a decision: the same rules as `decide`, every reason in words (AUD-2)."""

from __future__ import annotations

import ast
import inspect
import re

import pytest
from hypothesis import given, settings

from mss_gateway.base.errors import Refuse
from mss_gateway.ports.relay import Outcome
from mss_gateway.rules.facts import Facts
from mss_gateway.rules.meanings import (
    RELAY_REASONS,
    REMEDIES,
    TRUST_REASONS,
    WIRE_REASONS,
    WITHHELD_REASONS,
    meaning,
)
from mss_gateway.rules.policy import MESSAGE_RULES, RECIPIENT_RULES, SENDER_RULES, decide, verdicts
from mss_gateway.rules.reasons import REASONS
from mss_gateway.rules.telling import EVENTS, Tone, rule_of, told, words
from tests.support.facts import ANY_FACTS, COLLEAGUE, FOREIGN_OPERATOR, doctor, facts, written

TABLE = (*SENDER_RULES, *RECIPIENT_RULES, *MESSAGE_RULES)
NAMES = [rule.__name__.replace("_", "-") for rule in TABLE]


def said_by() -> dict[str, set[str]]:
    """Slug to the rules in whose own text it stands."""
    found: dict[str, set[str]] = {}
    for rule, name in zip(TABLE, NAMES, strict=True):
        for node in ast.walk(ast.parse(inspect.getsource(rule))):
            if isinstance(node, ast.Constant) and node.value in REASONS:
                found.setdefault(node.value, set()).add(name)
    return found


@pytest.mark.req("AUD-2")
@settings(max_examples=300)
@given(ANY_FACTS)
def test_a_refusal_is_told_as_it_was_decided(case: Facts) -> None:
    """The rules before it passed, this one refused, with the verdicts' own names and ids; nothing after it."""
    decision = decide(case)
    if not isinstance(decision, Refuse) or (case.message is not None and case.recipient is None):
        return  # the daemon has no message without a recipient
    asked = verdicts(case)
    names = [one.rule for one in asked]
    refusing = next(one.rule for one in asked if one.refuse)
    lines = told("refused", {"reason": decision.reason, "rule": refusing})
    assert [line.name for line in lines] == names[: names.index(refusing) + 1]
    assert [line.ids for line in lines] == [one.ids for one in asked[: len(lines)]]
    assert [line.outcome for line in lines] == ["passed"] * (len(lines) - 1) + ["refused"]
    assert rule_of(decision.reason) in (None, refusing)


@pytest.mark.req("AUD-2")
def test_an_accepted_message_has_passed_the_whole_table() -> None:
    lines = told("accepted", {})
    assert [line.name for line in lines] == NAMES
    assert {line.outcome for line in lines} == {"passed"}
    found = {
        one.rule: one.ids
        for one in verdicts(facts(FOREIGN_OPERATOR, COLLEAGUE, doctor(), written(COLLEAGUE)))
    }
    assert {line.name: line.ids for line in lines} == found


@pytest.mark.req("AUD-2")
@pytest.mark.parametrize("slug", sorted(REASONS))
def test_a_slug_leads_to_the_one_rule_that_says_it(slug: str) -> None:
    """Checked against the rules' own text: one rule says it, or nobody can tell which."""
    rules = said_by().get(slug, set())
    if len(rules) == 1:
        assert {rule_of(slug)} == rules
    elif rules:
        assert rule_of(slug) is None
    else:
        assert rule_of(slug) in (None, "archive", "patient-address")


@pytest.mark.req("AUD-2")
@pytest.mark.parametrize("slug", sorted(REASONS))
def test_every_reason_is_told_in_words(slug: str) -> None:
    """A sentence, without the requirement ids in front of it."""
    sentence = meaning("refused", {"reason": slug}).removeprefix("the INS is wrong: ")
    assert sentence
    ids, _, registered = REASONS[slug].partition(": ")
    assert sentence == registered
    assert ids not in sentence


def test_remedies_belong_to_known_slugs() -> None:
    known = set(REASONS) | set(WIRE_REASONS) | set(RELAY_REASONS) | set(TRUST_REASONS)
    assert set(REMEDIES) <= known
    assert not set(WIRE_REASONS) & set(REASONS)
    assert all(text.endswith((".", "?")) for text in REMEDIES.values())
    slugs = set(
        re.findall(
            r"`([a-z0-9-]+)`", (Outcome.__doc__ or "").partition("stable slug")[2].partition("; `text`")[0]
        )
    )
    assert slugs - {"sent"} <= set(RELAY_REASONS) | set(TRUST_REASONS)
    assert len(slugs) > 10


@pytest.mark.req("AUD-2", "RCP-5")
def test_one_slug_means_what_its_event_makes_of_it() -> None:
    """The same word stands for a rule's no, for an attempt to relay, for a report not written."""
    assert meaning("refused", {"reason": "null-sender"}) == "a patient used the null sender"
    assert meaning("report-withheld", {"reason": "null-sender"}) == WITHHELD_REASONS["null-sender"]
    assert meaning("deferred", {"reason": "connect-timeout"}) == RELAY_REASONS["connect-timeout"]
    assert meaning("deferred", {"reason": "crl-stale"}) == TRUST_REASONS["crl-stale"]
    assert meaning("refused", {"reason": "store-full"}) == WIRE_REASONS["store-full"]
    assert meaning("integration-error", {"code": "902"}) == "Identifiant patient inconnu"
    assert meaning("integration-error", {"code": "999"}) == meaning("refused", {"reason": "?"}) == ""


@pytest.mark.req("AUD-2", "INS-6")
def test_a_warning_names_the_rule_that_would_have_refused() -> None:
    (line,) = told("warned", {"reason": "xdm-cda-mismatch"})
    assert (line.name, line.ids, line.outcome) == ("archive", "INS-6", "warned")
    assert told("warned", {"reason": "identity-unknown"})[0].name == "identity-qualified"


def test_a_reason_without_its_rule_is_told_when_one_rule_says_it() -> None:
    assert told("refused", {"reason": "channel-closed"})[-1].name == "patient-answer"
    assert told("refused", {"reason": "patient-forged"}) == []  # two rules say it


def test_what_is_no_decision_of_the_rules_has_no_rules() -> None:
    assert told("relayed", {"peer": "x"}) == []
    assert told("refused", {"reason": "store-full"}) == []
    assert told("refused", {}) == []


def test_a_rule_of_another_version_is_still_named() -> None:
    (line,) = told("refused", {"reason": "x", "rule": "a-rule-of-tomorrow"})
    assert (line.name, line.ids, line.outcome) == ("a-rule-of-tomorrow", "", "refused")


def test_an_unknown_event_is_shown_as_it_is() -> None:
    shown = words("something-new", {})
    assert (shown.title, shown.tone, shown.remedy) == ("something-new", Tone.PLAIN, "")


def test_titles_are_short_and_remedies_are_sentences() -> None:
    """A title fits on one line of 80 columns beside time and event."""
    for event, shown in EVENTS.items():
        assert len(shown.title) <= 50, event
        assert not shown.remedy or shown.remedy.endswith("."), event


@pytest.mark.req("RCP-1")
def test_a_report_reads_as_what_it_says() -> None:
    """A delivery report is good news or bad, a receipt may say that nobody has read."""
    assert words("dsn-received", {"action": "failed"}).tone is Tone.BAD
    assert words("dsn-received", {"action": "delayed"}).tone is Tone.DOUBT
    assert words("dsn-received", {"action": "delivered"}).tone is Tone.GOOD
    assert words("mdn-received", {"disposition": "displayed"}).tone is Tone.GOOD
    assert words("mdn-received", {"disposition": "deleted"}).tone is Tone.DOUBT
    assert words("refused", {"reason": "xdm-no-ins"}).remedy.startswith("Have the sending software")
