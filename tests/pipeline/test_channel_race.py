"""CHN-9: patients' answers and the closing of the channel at the same time, through the real store."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from mss_gateway.base.errors import Refuse
from mss_gateway.mail.address import parse_address
from mss_gateway.mail.envelope import Envelope, Recipient
from mss_gateway.pipeline.intake import Intake
from mss_gateway.pipeline.transaction import Accepted, PeerSession
from mss_gateway.ports.records import TraceLine
from mss_gateway.rules.facts import Caller, CallerKind
from tests.support.doors import Served
from tests.support.letters import MEDECIN, letter

ROUNDS = 40
ANSWERS = 6
SESSION = PeerSession("127.0.0.1", "race.example", "ESMTPSA")


async def _send(intake: Intake, kind: CallerKind, sender: str, recipient: str, subject: str) -> object:
    """One message through the line, as a door does it."""
    caller = Caller(kind, sender, f"caller-{kind.value}", "plain", boxes=frozenset({sender.lower()}))
    transaction, refused = await intake.begin(caller, SESSION, Envelope(parse_address(sender), ()))
    if refused is None:
        refused = await intake.recipient(transaction, Recipient(parse_address(recipient)))
    if refused is not None:
        return refused
    spool = intake.new_spool()
    await spool.add(letter(sender, recipient, subject=subject))
    for _ in range(random.randrange(4)):
        await asyncio.sleep(0)
    return await intake.message(transaction, spool)


async def _race(intake: Intake, patient: str) -> tuple[int, int]:
    """Many rounds of open, then answers beside one closing; how many answers passed and were refused."""
    passed = refused = 0
    for _ in range(ROUNDS):
        opened = await _send(intake, CallerKind.PERSON, MEDECIN, patient, "Bonjour")
        assert isinstance(opened, Accepted)
        work = [_send(intake, CallerKind.PATIENT, patient, MEDECIN, "Réponse") for _ in range(ANSWERS)]
        work.insert(
            random.randrange(ANSWERS + 1), _send(intake, CallerKind.PERSON, MEDECIN, patient, "[FIN]")
        )
        for outcome in await asyncio.gather(*work):
            if isinstance(outcome, Refuse):
                assert outcome.reason == "channel-closed"
                refused += 1
            else:
                passed += isinstance(outcome, Accepted)
    return passed, refused


def _broken(lines: list[TraceLine]) -> list[TraceLine]:
    """Answers whose commit came after that of the closing and before the next opening."""
    late, closed = [], False
    for line in lines:
        if line.event.startswith("channel-"):
            closed = line.event == "channel-closed"
        elif line.event == "accepted" and line.actor == "caller-patient" and closed:
            late.append(line)
    return late


@pytest.mark.req("CHN-9")
def test_no_answer_is_delivered_after_the_commit_of_the_closing(special: Callable[..., Served]) -> None:
    """The trace is written inside each commit, so its order is the order of commits."""
    served = special()
    patient = served.handout.patients.active
    passed, refused = served.call(_race(served.parts.intake, patient))
    assert passed >= ROUNDS
    assert refused > 0
    lines = served.call(served.parts.store.trace(limit=100_000))
    assert sum(line.event == "channel-closed" for line in lines) == ROUNDS
    assert _broken(lines) == []
