"""The guided tour: each step does one thing over real sockets, asserts it, and says what it saw."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate

from rich.console import Console
from rich.markup import escape

from . import wire
from .handout import Account, Handout


class TourFailed(Exception):
    """A step did not show what it promised."""


@dataclass(slots=True)
class Stage:
    """What steps share: the sample space, and the messages made so far by name."""

    handout: Handout
    messages: dict[str, EmailMessage] = field(default_factory=dict)

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
        message = EmailMessage()
        message["From"] = sender
        message["To"] = recipient
        message["Subject"] = subject
        message["Date"] = formatdate()
        message["Message-ID"] = f"<{uuid.uuid4()}@{sender.rpartition('@')[2]}>"
        message.set_content(text)
        self.messages[name] = message
        return message

    def reply(self, name: str, to: EmailMessage, sender: str, text: str) -> EmailMessage:
        """An answer to a message, as a mail client makes it: to Reply-To when there is one."""
        target = str(to["Reply-To"] or to["From"])
        message = self.message(name, sender, target, f"Re: {to['Subject']}", text)
        message["In-Reply-To"] = to["Message-ID"]
        message["References"] = to["Message-ID"]
        return message

    def read(self, account: Account, message: EmailMessage) -> EmailMessage:
        """The stored copy of a message, over IMAP."""
        return wire.read(self.handout, account, str(message["Message-ID"]))


Step = tuple[str, Callable[[Stage], str]]
"""What a step shows, in one sentence, and the function that does it and returns the evidence."""


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


def run(handout: Handout, steps: tuple[Step, ...], console: Console) -> int:
    """Walk through the steps; return 0 when every one held, 1 at the first that did not."""
    stage = Stage(handout)
    started = time.monotonic()
    for number, (title, step) in enumerate(steps, 1):
        try:
            evidence = step(stage)
        except (TourFailed, wire.Refused, LookupError, OSError) as failure:
            console.print(f"[bold red]✗[/] {number:2}. {escape(title)}")
            console.print(f"      [red]{escape(type(failure).__name__)}: {escape(str(failure))}[/]")
            console.print(f"tour: {number - 1} of {len(steps)} steps passed, step {number} failed")
            return 1
        console.print(f"[bold green]✓[/] {number:2}. {escape(title)}")
        console.print(f"      [dim]{escape(evidence)}[/]")
    console.print(f"tour: {len(steps)} of {len(steps)} steps passed in {time.monotonic() - started:.1f} s")
    sys.stdout.flush()
    return 0
