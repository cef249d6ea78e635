"""The guided tour: each step does one thing over real sockets, asserts it, and says what it saw."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from mss_gateway.ops.operation import OperationRefused

from . import wire
from .handout import Account, Credential, Handout
from .provision import NAMES


class TourFailed(Exception):
    """A step did not show what it promised."""


Commands = Callable[[Sequence[str]], tuple[int, str]]
"""Carries out a command of `mss-gateway`: exit status, and all that it said."""


def in_processes(words: Sequence[str]) -> tuple[int, str]:
    """Each command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "mss_gateway", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, done.stdout.decode("utf-8", "replace")


@dataclass(slots=True)
class Stage:
    """What steps share: the sample space, how commands are typed, and the messages made so far by name."""

    handout: Handout
    commands: Commands = in_processes
    messages: dict[str, EmailMessage] = field(default_factory=dict)
    started: float = field(default_factory=time.time)  # epoch seconds

    @property
    def professional(self) -> Account:
        """The holder of the sample nominative mailbox."""
        return self.handout.account("PER")

    @property
    def patient(self) -> Account:
        """The sample patient who can log in."""
        return self.handout.account("PAT")

    def message(self, name: str, sender: str, recipient: str, subject: str, text: str) -> EmailMessage:
        """A new message with its own Message-ID, remembered under `name`."""
        kinds = {account.address: account.type for account in self.handout.accounts}
        shown = NAMES.get(kinds.get(sender, ""), "")
        message = EmailMessage()
        message["From"] = f"{shown} <{sender}>" if shown else sender
        message["To"] = recipient
        message["Subject"] = subject
        message["Date"] = formatdate()
        message["Message-ID"] = f"<{uuid.uuid4()}@{sender.rpartition('@')[2]}>"
        message.set_content(text)
        self.messages[name] = message
        return message

    def letter(self, name: str, subject: str, text: str, recipient: str = "") -> EmailMessage:
        """A message of the professional, to the sample patient unless told otherwise."""
        return self.message(name, self.professional.address, recipient or self.patient.address, subject, text)

    def reply(self, name: str, to: EmailMessage, sender: str, text: str) -> EmailMessage:
        """An answer to a message, as a mail client makes it: to Reply-To when there is one."""
        target = wire.address_of(to, "Reply-To") if to["Reply-To"] else wire.address_of(to, "From")
        message = self.message(name, sender, target, f"Re: {to['Subject']}", text)
        message["In-Reply-To"] = to["Message-ID"]
        message["References"] = to["Message-ID"]
        return message

    def send(self, account: Account, message: EmailMessage) -> str:
        """Submit as this account; the reply."""
        return wire.submit(self.handout, account, message)

    def read(self, account: Account | Credential, message: EmailMessage) -> EmailMessage:
        """The stored copy of a message, over IMAP."""
        return wire.read(self.handout, account, str(message["Message-ID"]))

    def found(
        self,
        account: Account | Credential,
        message: EmailMessage,
        fits: Callable[[wire.Found], bool] = lambda _: True,
        *,
        by: str = "Message-ID",
    ) -> wire.Found:
        """The stored copy of a message, or by In-Reply-To what answers it, without opening it."""
        return wire.awaited(self.handout, account, by, str(message["Message-ID"]), fits, opened=False)

    def all(
        self, account: Account | Credential, message: EmailMessage, *, by: str = "Message-ID"
    ) -> list[wire.Found]:
        """Every such copy that is there now."""
        return wire.looked_up(self.handout, account, by, str(message["Message-ID"]))

    def asked(self, gateway: Handout, operation: str, **arguments: Any) -> dict[str, Any]:
        """What a running gateway of ours answers on its control socket."""
        from mss_gateway.ops.control import ask

        try:
            return dict(ask(Path(gateway.state) / "control.sock", operation, {"actor": "tour", **arguments}))
        except OperationRefused as refused:
            raise TourFailed(f"{operation}: {refused.sentence}") from None

    def command(self, gateway: Handout | None, *words: str) -> str:
        """What `mss-gateway WORDS` prints, for this gateway if one is given; fails unless it exits with 0."""
        configured = ["--config", gateway.config] if gateway is not None else []
        status, said = self.commands([*words, *configured])
        expect(status == 0, f"mss-gateway {' '.join(words[:2])} ended with {status}: {said}")
        return said


@dataclass(frozen=True, slots=True)
class Step:
    """What a step shows, in one sentence, and the function that does it and returns the evidence.

    `three` tells that it needs the other operators.
    """

    title: str
    play: Callable[[Stage], str]
    three: bool = False


def expect(condition: bool, what: str) -> None:
    """Fail the tour loudly when something is not as promised."""
    if not condition:
        raise TourFailed(what)


def expect_refusal(call: Callable[[], object], *needles: str) -> str:
    """Run what must be refused and return the reply; fail when it passes or says something else."""
    try:
        call()
    except wire.Refused as refusal:
        for needle in needles:
            expect(
                needle.lower() in refusal.text.lower(), f"refused, but not with {needle!r}: {refusal.text}"
            )
        return refusal.text
    raise TourFailed("accepted, although it must be refused")


def eventually(question: Callable[[], bool], what: str) -> None:
    """Ask until the answer is yes; fail with `what` when it stays no."""
    limit = time.monotonic() + wire.TIMEOUT
    while not question():
        expect(time.monotonic() < limit, what)
        time.sleep(0.05)


def run(handout: Handout, steps: Sequence[Step], console: Console, commands: Commands = in_processes) -> int:
    """Walk through the steps; return 0 when every one held, 1 at the first that did not."""
    stage = Stage(handout, commands)
    steps = [step for step in steps if not step.three or handout.patient_operator is not None]
    started = time.monotonic()
    for number, step in enumerate(steps, 1):
        try:
            evidence = step.play(stage)
        except (TourFailed, wire.Refused, LookupError, OSError) as failure:
            console.print(f"[bold red]✗[/] {number:2}. {escape(step.title)}")
            console.print(f"      [red]{escape(type(failure).__name__)}: {escape(str(failure))}[/]")
            console.print(f"tour: {number - 1} of {len(steps)} steps passed, step {number} failed")
            return 1
        console.print(f"[bold green]✓[/] {number:2}. {escape(step.title)}")
        console.print(f"      [dim]{escape(evidence)}[/]")
    console.print(f"tour: {len(steps)} of {len(steps)} steps passed in {time.monotonic() - started:.1f} s")
    sys.stdout.flush()
    return 0
