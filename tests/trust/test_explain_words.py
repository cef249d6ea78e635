"""The replies that `trust explain` foretells are those of the line and of its rules, word for word (TRU-8)."""

from __future__ import annotations

from pathlib import Path

import pytest

from mss_gateway.base.errors import Refuse
from mss_gateway.mail.address import parse_address
from mss_gateway.pipeline.login import Login
from mss_gateway.ports.refused import OF_TRUST
from mss_gateway.rules.facts import Party, Place
from mss_gateway.rules.recipients import outside
from mss_gateway.rules.senders import operator_sender
from mss_gateway.trust.explain import explain
from mss_gateway.trust.explain_meeting import ALERTS, DN_MISMATCH, NOT_LISTED, RCPT_OUTSIDE, SENDER_OUTSIDE
from mss_gateway.trust.explain_steps import remedy
from mss_gateway.trust.judgement import Role
from mss_gateway.trust.refusals import SENTENCES
from tests.support.facts import facts, operator, person
from tests.support.pki import Subject
from tests.support.trust import HOSTED, World

SENDER = parse_address("dr@hopital.mssante.fr")
STRANGER = parse_address("dr@inconnu.example")


@pytest.mark.req("TRU-8", "BAL-7", "RTE-3")
def test_the_words_are_those_of_the_rules() -> None:
    """A sender's domain that lists somebody else, one that is on no list, a recipient's domain that is on no list."""
    caller = operator("autre.mssante.fr")
    assert operator_sender(facts(caller, Party(SENDER, Place.TRUSTED))) == DN_MISMATCH
    assert operator_sender(facts(caller, Party(STRANGER, Place.OUTSIDE))) == SENDER_OUTSIDE
    to_stranger = facts(person(), Party(SENDER, Place.HOSTED), Party(STRANGER, Place.OUTSIDE))
    assert outside(to_stranger) == RCPT_OUTSIDE


@pytest.mark.req("TRU-8", "TRU-4")
def test_an_unlisted_peer_reads_what_the_line_says(tmp_path: Path) -> None:
    """The door asks the line, which asks the trust space."""
    world = World(tmp_path)
    trust = world.trust()
    issued = world.pki.organisations.issue(Subject("mx.autre.fr"))
    login = Login(trust, None, None, None, None)  # type: ignore[arg-type]
    said = login._judged(issued.der)
    assert said == NOT_LISTED
    assert isinstance(said, Refuse)
    for domain in (None, HOSTED, "inconnu.example"):
        (meeting,) = explain(trust, [issued.der], roles=(Role.CLIENT,), domain=domain).meetings
        assert meeting.told == f"{said.code} {said.enhanced} {said.public}"


def test_every_slug_of_trust_has_its_remedy_and_its_alert() -> None:
    """A slug that is added later is not forgotten here."""
    of_certificates = {one for one in SENTENCES if one.startswith(("certificate-", "crl-"))}
    in_the_dialogue = {"certificate-unknown"}  # OCSP, which OpenSSL is not asked for
    assert of_certificates - in_the_dialogue <= set(ALERTS) <= set(SENTENCES)
    assert set(SENTENCES) <= OF_TRUST
    for reason in set(SENTENCES) - {"tls-version", "tls-not-spoken", "tls-failed"}:
        assert remedy(reason).endswith("."), reason
