"""What is known of the domains that mail goes to: attempts under way, and which cannot be reached (QUE-2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mss_gateway.mail.envelope import Recipient
from mss_gateway.ports.outbox import Share
from mss_gateway.ports.relay import Fate, Outcome
from mss_gateway.rules.retry import OF_ONE_MESSAGE, RetryOptions, wait

SILENCE_MOST = 900.0
"""Seconds after which a silent domain is asked again with one letter, so that new mail passes soon after it is back."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A domain that could not be reached: how often in a row, until when it is left alone, and why."""

    failures: int
    until: float
    why: Outcome

    def echo(self, recipients: Sequence[Recipient]) -> tuple[Outcome, ...]:
        """The same outcome for other recipients there, without asking again."""
        return tuple(replace(self.why, recipient=recipient) for recipient in recipients)


def unreachable(outcome: Outcome) -> bool:
    """Whether an outcome speaks of the destination, not of this message: nobody was reached, or it closes with 421."""
    if outcome.fate is not Fate.TRY_LATER:
        return False
    return outcome.reason not in OF_ONE_MESSAGE or outcome.text.startswith("421 ")  # RFC 5321 section 3.8


class Destinations:
    """Slots and silences by domain. A domain that fails is asked with one letter at a time until it answers."""

    def __init__(self, total: int, each: int, retry: RetryOptions) -> None:
        self._total = total
        self._each = each
        self._retry = retry
        self._taken: Counter[str] = Counter()
        self._silences: dict[str, Silence] = {}

    def take(self, domain: str) -> None:
        """A letter is under way there."""
        self._taken[domain] += 1

    def give_back(self, domain: str) -> None:
        """It is no longer."""
        self._taken[domain] -= 1
        if not self._taken[domain]:
            del self._taken[domain]

    @property
    def free(self) -> int:
        """Letters that may start now."""
        return self._total - self._taken.total()

    def silence(self, domain: str, now: float) -> Silence | None:
        """The silence in force, None when the domain may be asked."""
        found = self._silences.get(domain)
        return found if found is not None and now < found.until else None

    def share(self, now: float) -> Share:
        """What the next claim may take. Mail to a silent domain only learns that it has to wait: half of the slots."""
        rooms = {domain: self._each - taken for domain, taken in self._taken.items()}
        for domain, silence in self._silences.items():
            most = max(1, self._total // 2) if now < silence.until else 1
            rooms[domain] = most - self._taken.get(domain, 0)
        return Share(self.free, self._each, rooms)

    def busy(self, now: float) -> frozenset[str]:
        """Domains of which nothing more may start now."""
        return frozenset(domain for domain, room in self.share(now).rooms.items() if room <= 0)

    def heard(self, domain: str, outcomes: Sequence[Outcome], now: float, dice: float) -> None:
        """Learn from an attempt. Failures while the domain is silent began before it fell silent: they add nothing."""
        why = outcomes[0]
        if not all(unreachable(one) for one in outcomes):
            self._silences.pop(domain, None)
        elif self.silence(domain, now) is None:
            before = self._silences.get(domain)
            failures = before.failures + 1 if before is not None else 1
            self._silences[domain] = Silence(failures, now + self._pause(failures, dice), why)

    def _pause(self, failures: int, dice: float) -> float:
        return min(wait(failures, self._retry, dice), SILENCE_MOST)
