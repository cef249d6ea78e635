"""Our gateway with a Postfix as its neighbour: the same trust space, each the other's relay."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from mss_gateway.dev.handout import Account, Credential
from mss_gateway.ports.queue import EVERYTHING
from mss_gateway.ports.records import Queued
from mss_gateway.settings import Settings
from tests.support.doors import Served, gateway_in_thread
from tests.support.foreign import HOST
from tests.support.journeys import letter, stored
from tests.support.postfix_relay import PostfixOperator, Verdict, policy
from tests.support.wires import Smtp

Places = tuple[tuple[str, int], ...]
WAIT = 90.0  # seconds; only a broken test reaches it


def until(condition: Callable[[], bool], what: Callable[[], object] = lambda: "") -> None:
    """Wait until it holds."""
    limit = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < limit, what()
        time.sleep(0.05)


@dataclass
class Neighbours:
    """The gateway and the Postfix."""

    served: Served
    postfix: PostfixOperator

    @property
    def doctor(self) -> Account:
        """Who writes and reads at our gateway."""
        return self.served.account("PER")

    def person(self, local: str = "dr") -> str:
        """Somebody at the other operator."""
        return f"{local}@{self.postfix.domain}"

    def letter(
        self, *locals_: str, subject: str = "Compte rendu", text: str = "Bonjour.\r\n"
    ) -> tuple[str, bytes]:
        """A message of the doctor's to people there."""
        return letter(self.doctor.address, self.person((locals_ or ("dr",))[0]), subject, text)

    def writes(self, data: bytes, *recipients: str, mail: str = "", rcpt: str = "") -> None:
        """The doctor submits."""
        with contextlib.closing(self.served.submission(self.doctor)) as client:
            submit(client, self.doctor.address, data, *recipients, mail=mail, rcpt=rcpt)

    def queue(self) -> list[Queued]:
        """Rows in our queue."""
        return list(self.served.call(self.served.parts.store.queued(EVERYTHING)))

    def waiting(self) -> int:
        """How many there are."""
        return len(self.queue())

    def quiet(self) -> None:
        """Wait until nothing is left in our queue."""
        until(lambda: self.waiting() == 0, lambda: (self.queue(), self.postfix.log_tail()))

    def events(self, message_id: str) -> list[tuple[str, str]]:
        """What our outbound line has noted of a message: events with their reasons."""
        lines = self.served.call(self.served.parts.store.trace(message_id))
        return [
            (line.event, str(line.detail.get("reason", ""))) for line in lines if line.actor == "outbound"
        ]

    def found(self, message_id: str, *, wait: float = WAIT) -> bytes | None:
        """The message in the doctor's INBOX, byte for byte."""
        return stored(self.served.handout, self.doctor, message_id, wait=wait)


def submit(client: Smtp, sender: str, data: bytes, *recipients: str, mail: str = "", rcpt: str = "") -> None:
    """One transaction that must be taken."""
    lines = [f"MAIL FROM:<{sender}> {mail}".rstrip()]
    lines += [f"RCPT TO:<{recipient}> {rcpt}".rstrip() for recipient in recipients]
    for line in lines:
        reply = client.command(line)
        assert reply.startswith("250"), reply
    reply = client.data(data)
    assert reply.startswith("250 2.0.0"), reply


@contextlib.contextmanager
def alone(credential: Credential, ca: str, gateway: int) -> Iterator[PostfixOperator]:
    """A Postfix that runs, beside a gateway on that port which somebody else started."""
    with _folder() as root:
        postfix = PostfixOperator(root / "postfix", credential, ca, gateway)
        try:
            postfix.run()
            yield postfix
        finally:
            postfix.stop()


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A scratch folder; that of a test is its owner's alone, and Postfix works under several users."""
    with tempfile.TemporaryDirectory(prefix="mss-postfix-", ignore_cleanup_errors=True) as name:
        root = Path(name)
        root.chmod(0o755)
        yield root


@contextlib.contextmanager
def neighbours(
    folder: Path,
    *,
    credential: Callable[[Served], Credential] = lambda served: served.handout.operator,
    verdict: Verdict | None = None,
    more: str = "",
    running: bool = True,
    routes: Mapping[str, Places] | None = None,
) -> Iterator[Neighbours]:
    """A gateway and a Postfix that runs; retries come within a second on both sides. `routes` lead elsewhere."""
    ways = dict(routes or {})

    def change(settings: Settings) -> Settings:
        return replace(
            settings,
            relay=replace(settings.relay, overrides=ways),
            outbound=replace(settings.outbound, retry_first=0.4, retry_most=1.0),
        )

    with ExitStack() as stack:
        root = stack.enter_context(_folder())
        socket = stack.enter_context(policy(root / "policy", verdict)) if verdict else None
        served = stack.enter_context(gateway_in_thread(folder, change))
        shown = credential(served)
        postfix = PostfixOperator(
            root / "postfix",
            shown,
            served.handout.ca,
            served.handout.ports.mta,
            policy=socket,
            more=more,
        )
        ways[shown.domain] = ((HOST, postfix.port),)
        stack.callback(postfix.stop)
        if running:
            postfix.run()
        yield Neighbours(served, postfix)
        assert served.faults() == 0
