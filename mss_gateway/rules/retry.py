"""When to try again, when to warn, when to give up (QUE-1, QUE-2, RCP-1). Clock and dice are arguments."""

from __future__ import annotations

from dataclasses import dataclass

OF_ONE_MESSAGE = frozenset(
    {
        "sent",
        "peer-temporary",
        "peer-refused",
        "peer-needs-smtputf8",
        "peer-needs-8bitmime",
        "bare-line-end",
        "letter-incomplete",
        "peer-broke-protocol",
        "too-large-for-peer",
        "lost",
        "lost-after-data",
        "fault",
    }
)
"""Slugs of outcomes that may be the message's own; all others tell that its destination cannot be reached at all."""

_DOUBLINGS = 40  # beyond it every wait is the longest one; keeps the power finite


@dataclass(frozen=True, slots=True)
class RetryOptions:
    """All in seconds: the first wait, the longest, the lifetime of a message, when its delay is reported."""

    first: float = 60.0
    most: float = 3600.0
    lifetime: float = 5 * 86400.0
    warn_after: float = 4 * 3600.0


@dataclass(frozen=True, slots=True)
class Attempted:
    """One recipient just after an attempt; `attempts` counts it, times are epoch seconds.

    `permanent` is True for the peer's final no. A refused trust, a failing DNS and a lost answer are never final
    (TRU-5, QUE-1). `asked_again` is when a destination that nobody can reach is asked again, 0 when it answers:
    all that waits for it waits for the same moment.
    """

    attempts: int
    queued_at: float
    now: float
    permanent: bool = False
    warned: bool = False
    asked_again: float = 0.0


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Try again at this moment, epoch seconds; `warn` tells that the delay report is due now."""

    at: float
    warn: bool


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Never again: the peer refused for good, or (`expired`) the lifetime is over."""

    expired: bool


def wait(attempts: int, options: RetryOptions, dice: float) -> float:
    """Seconds after the n-th failure in a row (from 1): doubling, between 75 % and 125 % by `dice` in [0, 1)."""
    full = options.first * 2.0 ** min(max(attempts - 1, 0), _DOUBLINGS)
    return min(full, options.most) * (0.75 + dice / 2)


def after_failure(attempted: Attempted, options: RetryOptions, dice: float) -> WaitUntil | GiveUp:
    """What follows from an attempt that did not end well.

    The next one comes no later than the moment of the delay report and the end of the lifetime, so that both reports
    go out in time.
    """
    end = attempted.queued_at + options.lifetime
    if attempted.permanent:
        return GiveUp(expired=False)
    if attempted.now >= end:
        return GiveUp(expired=True)
    warn_at = attempted.queued_at + options.warn_after
    warn = not attempted.warned and attempted.now >= warn_at
    own = attempted.now + wait(attempted.attempts, options, dice)
    at = min(max(attempted.asked_again, attempted.now) if attempted.asked_again else own, end)
    if not attempted.warned and not warn:
        at = min(at, warn_at)
    return WaitUntil(at, warn)
