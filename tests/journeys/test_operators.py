"""Three operators of one trust space: our gateway, a Postfix, and the one built on aiosmtpd (QUE-2, RTE-4, TRU-5)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from mss_gateway.dev.neighbour_identity import Identity
from mss_gateway.dev.space import OTHER
from mss_gateway.dev.wire import kept
from tests.support.foreign import HOST, Daemon, listens
from tests.support.ports import free_ports
from tests.support.postfix_scene import Neighbours, neighbours, until

pytestmark = [pytest.mark.foreign, pytest.mark.timeout(600)]


@dataclass
class Three:
    """Our gateway with its Postfix neighbour, and the folder of the third."""

    scene: Neighbours
    folder: Path

    def taken(self, message_id: str) -> int:
        """Copies of a message at the operator built on aiosmtpd."""
        return sum(message_id.encode() in path.read_bytes() for path in kept(self.folder / "mail"))


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    """All three serve; the third's domain lists the same certificate as the second's."""
    folder = tmp_path_factory.mktemp("third")
    (port,) = free_ports(1)
    with ExitStack() as stack:
        routes = {OTHER: ((HOST, port),)}
        scene = stack.enter_context(neighbours(tmp_path_factory.mktemp("three"), routes=routes))
        handout = scene.served.handout
        operator = handout.operator
        Identity(OTHER, HOST, port, operator.cert, operator.key, handout.ca, "").write(folder)
        command = [sys.executable, "-m", "mss_gateway.dev.neighbour", str(folder)]
        third = Daemon("neighbour", command, folder / "log")
        stack.callback(third.stop)
        third.start(lambda: listens(port))
        yield Three(scene, folder)


@pytest.mark.req("RTE-4", "RTE-7", "TRU-5")
def test_one_message_reaches_every_operator_once(three: Three) -> None:
    """Two people at Postfix, one at the third, one of ours: one transaction in, a copy for each."""
    scene = three.scene
    message_id, data = scene.letter("a", "b")
    colleague = scene.served.account("ORG").address
    scene.writes(data, scene.person("a"), f"dr@{OTHER}", colleague, scene.person("b"))
    scene.quiet()
    until(lambda: len(scene.postfix.copies(message_id)) == 2, scene.postfix.log_tail)
    assert sorted(one.recipient for one in scene.postfix.copies(message_id)) == [
        scene.person("a"),
        scene.person("b"),
    ]
    assert three.taken(message_id) == 1
    lines = scene.served.call(scene.served.parts.store.trace(message_id))
    (first,) = [line for line in lines if line.event == "accepted"]
    assert (first.detail["placed"], first.detail["queued"]) == (1, 3)


@pytest.mark.req("QUE-2", "QUE-1")
def test_a_postfix_that_is_away_delays_nobody_else(three: Three) -> None:
    """50 messages wait for one operator; the mail to the other goes on, and theirs comes when it is back."""
    scene = three.scene
    scene.postfix.stop()
    waiting = [scene.letter(text=f"{number}\r\n") for number in range(50)]
    for _, data in waiting:
        scene.writes(data, scene.person())
    message_id, data = scene.letter()
    scene.writes(data, f"dr@{OTHER}", scene.person())
    until(lambda: three.taken(message_id) == 1)
    assert scene.waiting() == 51
    scene.postfix.run()
    scene.quiet()
    until(lambda: scene.postfix.queued() == 0)
    for one, _ in (*waiting, (message_id, data)):
        assert len(scene.postfix.copies(one)) == 1


@pytest.mark.req("TRU-7", "RCP-1", "RTE-6")
def test_a_report_never_leads_to_another(three: Three) -> None:
    """Postfix asks for a report to a sender who exists nowhere: ours is refused there, and that is the end."""
    scene = three.scene
    sender = f"personne@{OTHER}"
    (three.folder / "behaviour").write_text("refuse", encoding="ascii")
    message_id = f"<fin-{scene.served.handout.ports.mta}@{OTHER}>"
    data = (
        f"From: <{sender}>\r\nTo: <{scene.doctor.address}>\r\nSubject: Fin\r\nMessage-ID: {message_id}\r\n\r\nFin.\r\n"
    ).encode()
    scene.postfix.sends(sender, [scene.doctor.address], data, rcpt="NOTIFY=SUCCESS")
    assert scene.found(message_id) is not None
    scene.quiet()
    assert three.taken(message_id) == 0
    lines = scene.served.call(scene.served.parts.store.trace())
    failed = [line for line in lines if line.event == "relay-failed" and line.detail["domain"] == OTHER]
    assert len(failed) == 1
    withheld = [line.detail["reason"] for line in lines if line.event == "report-withheld"]
    assert withheld == ["null-sender"]
    (three.folder / "behaviour").unlink()
