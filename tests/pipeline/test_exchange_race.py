"""Two sides writing and closing at the same moment, each over its own connection (CHN-8, CHN-9)."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from mss_gateway.rules.exchange import EXCHANGES
from mss_gateway.rules.facts import ChannelState
from tests.pipeline.test_exchange import choose, messages
from tests.pipeline.test_line import channel, submit
from tests.support.doors import Served
from tests.support.letters import MEDECIN, letter
from tests.support.wires import Smtp

Start = Callable[..., Served]
AT_ONCE = 8
ROUNDS = 15


def ready(served: Served, kind: str, recipient: str, sender: str) -> Smtp:
    """A session that has come as far as the data."""
    wire = served.submission(served.account(kind))
    wire.envelope(sender, recipient)
    assert wire.command("DATA").startswith("354")
    return wire


def together(sessions: list[tuple[Smtp, bytes]]) -> list[str]:
    """End all messages at one moment; the replies."""
    gate = threading.Barrier(len(sessions))
    replies = [""] * len(sessions)

    def end(place: int, wire: Smtp, octets: bytes) -> None:
        gate.wait()
        wire.send(octets + b".\r\n")
        replies[place] = wire.reply()
        wire.close()

    threads = [threading.Thread(target=end, args=(place, *one)) for place, one in enumerate(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return replies


@pytest.mark.req("CHN-8", "CHN-9")
def test_many_first_answers_close_once(special: Start) -> None:
    """One of them is the first answer: one [FIN], one service message, and the others are refused."""
    served = special()
    choose(served, MEDECIN, auto_close="answer")
    patient = served.handout.patients.active
    assert submit(served, "PER", patient, letter(MEDECIN, patient)).startswith("250")
    sessions = [
        (ready(served, "PAT", MEDECIN, patient), letter(patient, MEDECIN, subject=f"Réponse {number}"))
        for number in range(AT_ONCE)
    ]
    replies = together(sessions)
    assert sum(reply.startswith("250") for reply in replies) == 1
    assert sum(reply.startswith("550 5.7.1") for reply in replies) == AT_ONCE - 1
    subjects = [str(one["Subject"]) for one in messages(served, "PAT")]
    assert subjects == ["Essai", "[FIN]", "Fin des échanges"]
    filed = [str(one["Subject"]) for one in messages(served, "PER", EXCHANGES)]
    assert filed.count("[FIN]") == 1
    assert len(filed) == 3
    assert channel(served, MEDECIN) is ChannelState.CLOSED


@pytest.mark.req("CHN-9", "CHN-2", "CHN-3")
def test_an_answer_and_an_end_mark_cross(special: Start) -> None:
    """Whichever commit is first: an answer that was taken lies before the [FIN] in the order of the timeline."""
    served = special()
    patient = served.handout.patients.active
    taken = refused = 0
    for _ in range(ROUNDS):
        assert submit(served, "PER", patient, letter(MEDECIN, patient)).startswith("250")
        sessions = [
            (ready(served, "PAT", MEDECIN, patient), letter(patient, MEDECIN)),
            (ready(served, "PER", patient, MEDECIN), letter(MEDECIN, patient, subject="[FIN]")),
            (ready(served, "PAT", MEDECIN, patient), letter(patient, MEDECIN)),
        ]
        first, end, second = together(sessions)
        assert end.startswith("250")
        for reply in (first, second):
            assert reply[:3] in ("250", "550")
            taken += reply.startswith("250")
            refused += reply.startswith("550")
        assert channel(served, MEDECIN) is ChannelState.CLOSED
    assert taken + refused == 2 * ROUNDS
    closed = False
    for line in served.call(served.parts.store.trace(limit=10_000)):
        if line.event in ("channel-open", "channel-closed"):
            closed = line.event == "channel-closed"
        elif line.event == "accepted" and "patient.mssante.fr" in line.actor:
            assert not closed
