"""`decide` as a whole: total, stable, closed to patients without a channel; its table and its words."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given, settings

from mss_gateway import rules
from mss_gateway.base.errors import Refuse
from mss_gateway.mail.envelope import Recipient
from mss_gateway.rules.actions import Accept, AddHeader, Deliver, GuardChannel, Relay, SetChannel
from mss_gateway.rules.facts import CallerKind, ChannelState, Facts, Place
from mss_gateway.rules.identities import IDENTITY_REASONS
from mss_gateway.rules.policy import MESSAGE_RULES, RECIPIENT_RULES, SENDER_RULES, decide, verdicts
from mss_gateway.rules.reasons import REASONS
from mss_gateway.rules.routing import route
from tests.support.facts import (
    ANY_FACTS,
    COLLEAGUE,
    DOCTOR,
    FOREIGN,
    FOREIGN_OPERATOR,
    INS,
    PATIENT,
    SERVICE,
    doctor,
    facts,
    patient,
    person,
    written,
)

PATIENT_PLACES = (Place.PATIENT_HOSTED, Place.PATIENT_REMOTE)
ROOM = Path(rules.__file__).parent


@given(ANY_FACTS)
@settings(max_examples=600)
def test_decide_is_total_and_stable(case: Facts) -> None:
    """Every shape of facts has one answer, twice the same, with a known reason and no number in it."""
    decision = decide(case)
    assert decision == decide(case)
    if isinstance(decision, Refuse):
        assert decision.reason in REASONS
        assert decision.code in (550, 554)
        assert INS not in decision.public


@pytest.mark.req("CHN-6")
@given(ANY_FACTS)
@settings(max_examples=600)
def test_no_patient_passes_a_channel_that_is_not_open(case: Facts) -> None:
    sender, recipient = case.sender, case.recipient
    if sender is None or recipient is None or not isinstance(decide(case), Accept):
        return
    if sender.place not in PATIENT_PLACES and case.caller.kind is not CallerKind.PATIENT:
        return
    allowed = {ChannelState.OPEN}
    if case.caller.kind is CallerKind.OPERATOR:
        allowed |= {ChannelState.NEVER} if case.house.remote_patient_on_never == "accept" else set()
        allowed |= {ChannelState.CLOSED} if case.house.remote_patient_on_closed == "accept" else set()
    initiated = recipient.box is not None and recipient.box.patient_initiated
    assert initiated or case.channel.state in allowed


@pytest.mark.req("RTE-3")
@given(ANY_FACTS)
@settings(max_examples=400)
def test_nothing_leaves_the_trust_space_and_operators_never_relay(case: Facts) -> None:
    decision = decide(case)
    if not isinstance(decision, Accept) or case.recipient is None:
        return
    assert case.recipient.place is not Place.OUTSIDE
    if case.caller.kind is CallerKind.OPERATOR:
        assert not any(isinstance(action, Relay) for action in decision.actions)


@pytest.mark.req("OPS-3")
@given(ANY_FACTS)
@settings(max_examples=300)
def test_the_first_refusal_of_the_table_is_the_decision(case: Facts) -> None:
    """`explain` and the daemon cannot disagree (OPS-3)."""
    first = next((one.refuse for one in verdicts(case) if one.refuse), None)
    decision = decide(case)
    assert decision == first if first else isinstance(decision, Accept)


@pytest.mark.req("RTE-4")
@given(ANY_FACTS)
@settings(max_examples=300)
def test_an_accepted_message_always_has_a_consequence(case: Facts) -> None:
    """No message is accepted and lost (RTE-4): something is delivered, relayed, bounced or traced."""
    decision = decide(case)
    if isinstance(decision, Accept) and case.recipient is not None and case.message is not None:
        assert type(decision.actions[0]).__name__ in ("Deliver", "Relay", "Bounce", "Discard")


def test_every_rule_cites_the_ids_it_keeps_and_is_short() -> None:
    for rule in (*SENDER_RULES, *RECIPIENT_RULES, *MESSAGE_RULES):
        ids = (rule.__doc__ or "").partition(":")[0].partition(",")[0].partition(".")[0]
        assert re.fullmatch(r"[A-Z]{3}-[0-9]+", ids), rule


def test_the_registry_holds_exactly_the_slugs_that_the_rules_say() -> None:
    said: set[str] = set()
    for path in ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Yield) and isinstance(node.value, ast.Constant):
                said.add(node.value.value)  # what passes and is told
            if isinstance(node, ast.Return | ast.IfExp):  # what is wrong with an archive is a value first
                value = node.value if isinstance(node, ast.Return) else node.body
                if isinstance(value, ast.Constant) and str(value.value).startswith("xdm-"):
                    said.add(value.value)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                last = node.args[-1]
                if node.func.id in ("Refuse", "_refuse", "InvalidValue", "Discard") and isinstance(
                    last, ast.Constant
                ):
                    said.add(last.value)
    assert said == set(REASONS) | set(IDENTITY_REASONS)


@pytest.mark.req("RTE-2", "RTE-3")
def test_a_route_groups_relays_by_domain() -> None:
    to = [Recipient(FOREIGN), Recipient(PATIENT)]
    plan = route(
        [
            (to[0], Accept((Relay("b.fr"),))),
            (to[1], Accept((Relay("a.fr"),))),
            (to[0], Accept((Relay("a.fr"),))),
        ]
    )
    assert plan.relay == {"b.fr": [to[0]], "a.fr": [to[1], to[0]]}


@pytest.mark.req("RTE-4")
def test_two_addresses_of_one_box_make_one_copy_and_one_change() -> None:
    shared = (
        Deliver(4),
        AddHeader("X-MSS-MES", "FIN"),
        SetChannel("p", "b", ChannelState.CLOSED, "fin-header"),
        GuardChannel("p", "b", 1),
    )
    plan = route([(Recipient(DOCTOR), Accept(shared)), (Recipient(SERVICE), Accept(shared))])
    assert (len(plan.local), len(plan.headers), len(plan.channels), len(plan.guards)) == (1, 1, 1, 1)


@pytest.mark.req("RTE-5")
def test_a_message_rule_says_the_same_for_every_recipient() -> None:
    message = written(COLLEAGUE, from_=(DOCTOR,))
    answers = {
        decide(facts(FOREIGN_OPERATOR, COLLEAGUE, recipient, message)) for recipient in (doctor(), patient())
    }
    assert len(answers) == 1


@pytest.mark.req("OPS-3")
def test_verdicts_name_rules_after_a_refusal_too() -> None:
    found = verdicts(facts(person(SERVICE), doctor(), COLLEAGUE, written(doctor())))
    assert len(found) == len(SENDER_RULES) + len(RECIPIENT_RULES) + len(MESSAGE_RULES)
    assert [one.rule for one in found if one.refuse] == ["submission-sender"]
    assert next(one.ids for one in found if one.refuse).startswith("BAL-6")
