"""What is known of the domains that mail goes to: letters under way and at hand, and who is silent (QUE-2)."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from mss_gateway.mail.envelope import Recipient
from mss_gateway.ports.outbox import Claimed, Share
from mss_gateway.ports.relay import Fate, Outcome
from mss_gateway.rules.pace import Pace
from mss_gateway.rules.retry import OF_ONE_MESSAGE, RetryOptions, wait

SILENCE_MOST = 900.0
"""Seconds after which a silent domain is asked again with one letter, so that new mail passes soon after it is back."""

AHEAD = 0.03
"""Seconds: letters are claimed ahead that will probably begin within this time."""

AHEAD_MOST = 2
"""Letters at most that are claimed ahead for each letter that may be under way to a domain."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A domain that could not be reached: how often in a row, until when it is left alone, and why."""

    failures: int
    until: float
    why: Outcome

    def echo(self, recipients: Sequence[Recipient]) -> tuple[Outcome, ...]:
        """The same outcome for other recipients there, without asking again."""
        return tuple(replace(self.why, recipient=recipient) for recipient in recipients)


ALONE, BESIDE_OTHERS = 2, 20
"""Parts of all rooms of which a silent domain has one, for letters that only learn that they have to wait."""


class Heard(Enum):
    """What an attempt tells of its domain: nothing new, that it is silent (again), or that it is back."""

    NOTHING = "nothing"
    SILENT = "silent"
    BACK = "back"


def unreachable(outcome: Outcome) -> bool:
    """Whether an outcome speaks of the destination, not of this message: nobody was reached, or it closes with 421."""
    if outcome.fate is not Fate.TRY_LATER:
        return False
    return outcome.reason not in OF_ONE_MESSAGE or outcome.text.startswith("421 ")  # RFC 5321 section 3.8


@dataclass(slots=True)
class _Traffic:
    """One domain: letters under way, letters at hand, how many may be claimed ahead, ends since the last claim.

    `unwritten` are letters that have ended and that the store does not know of yet: a crash sends them twice.
    `emptied` tells that the last claim took all that was due, so that there is nothing more to ask for.
    """

    pace: Pace
    under_way: int = 0
    at_hand: deque[Claimed] = field(default_factory=deque)
    ahead: int = 0
    ended: int = 0
    unwritten: int = 0
    emptied: bool = True

    @property
    def held(self) -> int:
        return self.under_way + len(self.at_hand)


class Destinations:
    """Letters and silences by domain. A domain that fails is asked with one letter at a time until it answers.

    With `first` below `each` a domain begins with that many letters at a time and comes to `each` as it answers.
    To a domain whose letters end faster than the store hands out new ones some are claimed ahead, so that no connection
    waits for the disk; to a slow one none are, so that a crash finds few leases.
    """

    def __init__(self, total: int, each: int, retry: RetryOptions, first: int | None = None) -> None:
        self._total = total
        self._beginning = Pace.beginning(each if first is None else first, each)
        self._retry = retry
        self._traffic: dict[str, _Traffic] = {}
        self._turns: dict[str, None] = {}  # domains with letters at hand, in the order of their turns
        self._silences: dict[str, Silence] = {}
        self._under_way = 0
        self._left_out: frozenset[str] = (
            frozenset()
        )  # domains of which nobody knows when the next letter is due
        # Whether the last claim took all that there was room for: those who hold much have to share then.
        self._cut = False

    def silence(self, domain: str, now: float) -> Silence | None:
        """The silence in force, None when the domain may be asked."""
        found = self._silences.get(domain)
        return found if found is not None and now < found.until else None

    @property
    def crowded(self) -> bool:
        """Whether more may be due than may be held in all: then domains that hold nothing come first now and then."""
        return self._cut

    @property
    def silences(self) -> dict[str, Silence]:
        """Domains that have not answered since they failed, those about to be asked again included."""
        return dict(self._silences)

    @property
    def under_way(self) -> dict[str, int]:
        """Attempts that are being made, by domain."""
        return {domain: one.under_way for domain, one in self._traffic.items() if one.under_way}

    def _most(self, domain: str, now: float) -> int:
        """Letters that may be under way there. Mail to a silent domain only learns that it has to wait."""
        if domain not in self._silences:
            one = self._traffic.get(domain)
            return (self._beginning if one is None else one.pace).beside(self._total, len(self._traffic))
        if self.silence(domain, now) is None:
            return 1
        others = len(self._traffic) > len(self._silences)
        return max(1, self._total // (BESIDE_OTHERS if others else ALONE))

    def _rooms(self, now: float) -> dict[str, int]:
        rooms = {domain: self._most(domain, now) for domain in self._silences}
        for domain, one in self._traffic.items():
            ahead = one.ahead if domain not in self._silences else 0
            rooms[domain] = self._most(domain, now) + ahead - one.held
        return rooms

    def share(self, now: float) -> Share:
        """What the next claim may take."""
        return Share(self._free, self._beginning.allowed, self._rooms(now))

    def share_of_newcomers(self, now: float) -> Share:
        """What a claim may take for domains that hold nothing and have not had their turn just now."""
        served = (domain for domain, one in self._traffic.items() if one.held or one.ended)
        rooms = self._rooms(now) | dict.fromkeys(served, 0)
        return Share(self._free, self._beginning.allowed, rooms)

    @property
    def _free(self) -> int:
        return self._total + sum(one.ahead - one.held for one in self._traffic.values())

    def put(self, letters: Sequence[Claimed]) -> None:
        """Letters that were claimed are at hand."""
        for letter in letters:
            one = self._traffic.get(letter.domain)
            if one is None:
                one = self._traffic[letter.domain] = _Traffic(self._beginning)
            one.at_hand.append(letter)
            self._turns[letter.domain] = None

    def claimed(self, share: Share, letters: Sequence[Claimed], since: float) -> None:
        """Take in what a claim has brought; `since` is the time since the one before it, in seconds."""
        brought = Counter(letter.domain for letter in letters)
        self.put(letters)
        self._cut = len(letters) >= share.total
        for domain, one in list(self._traffic.items()):
            one.emptied = brought[domain] < share.rooms.get(domain, share.each)
            one.ahead = min(
                int(one.ended * AHEAD / max(since, AHEAD / AHEAD_MOST)), AHEAD_MOST * one.pace.allowed
            )
            if not one.held and not one.ended and not one.unwritten:
                del self._traffic[domain]
            one.ended = 0

    def next(self, now: float) -> Claimed | None:
        """The next letter that may start, the domains taking turns; None when none may."""
        if self._under_way >= self._total:
            return None
        for domain in self._turns:
            one = self._traffic[domain]
            most = self._most(domain, now)
            if one.under_way >= most or one.unwritten >= most:
                continue
            letter = one.at_hand.popleft()
            del self._turns[domain]
            if one.at_hand:
                self._turns[domain] = None
            one.under_way += 1
            self._under_way += 1
            return letter
        return None

    def ended(self, domain: str, now: float) -> bool:
        """A letter is no longer under way there; True when it is time to claim more, or to ask when more is due."""
        one = self._traffic[domain]
        one.under_way -= 1
        one.ended += 1
        one.unwritten += 1
        self._under_way -= 1
        if one.emptied and domain in self._left_out and one.held < self._most(domain, now):
            self._left_out -= {domain}
            return True
        return self._cut or (not one.emptied and len(one.at_hand) <= one.ahead // 4)

    def pressing(self, domain: str) -> bool:
        """Whether so many ends are unwritten that the next letters there will soon wait for the disk."""
        one = self._traffic[domain]
        return 4 * one.unwritten >= 3 * one.pace.allowed

    def written(self, domain: str) -> None:
        """The store knows of the end of a letter."""
        self._traffic[domain].unwritten -= 1

    def leave(self) -> Iterator[Claimed]:
        """Take away all letters at hand."""
        for one in self._traffic.values():
            yield from one.at_hand
            one.at_hand.clear()
        self._turns.clear()

    def left_out(self, now: float) -> frozenset[str]:
        """Domains of which nothing more may be claimed now, for who asks when the next letter is due.

        Once one of them has room, `ended` tells that it is time to ask again.
        """
        self._left_out = frozenset(domain for domain, room in self._rooms(now).items() if room <= 0)
        return self._left_out

    def heard(self, domain: str, outcomes: Sequence[Outcome], now: float, dice: float) -> Heard:
        """Learn from an attempt. Failures while the domain is silent began before it fell silent: they add nothing."""
        one = self._traffic.get(domain)
        if not all(unreachable(each) for each in outcomes):
            if one is not None:
                waiting = one.under_way >= one.pace.allowed and (bool(one.at_hand) or not one.emptied)
                one.pace = one.pace.answered(waiting=waiting)
            return Heard.BACK if self._silences.pop(domain, None) is not None else Heard.NOTHING
        if self.silence(domain, now) is not None:
            return Heard.NOTHING
        if one is not None:
            one.pace = one.pace.silent()
        before = self._silences.get(domain)
        failures = before.failures + 1 if before is not None else 1
        pause = min(wait(failures, self._retry, dice), SILENCE_MOST)
        self._silences[domain] = Silence(failures, now + pause, outcomes[0])
        return Heard.SILENT

    def ask_again(self, domain: str, now: float) -> None:
        """A silent domain may be asked now, with one letter as after every silence."""
        silence = self._silences.get(domain)
        if silence is not None:
            self._silences[domain] = replace(silence, until=min(silence.until, now))
