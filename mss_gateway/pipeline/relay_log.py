"""The log lines of relaying: one for each attempt, one when a domain falls silent or is back (AUD-4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log
from mss_gateway.rules.retry import GiveUp

from .destinations import Silence
from .outcomes import Verdict

_KINDS = (Event.RELAYED, Event.RELAY_DEFERRED, Event.RELAY_FAILED)


class RelayLog:
    """Counts recipients and names none of them (INS-7). `counted` holds recipients by event since the start."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.counted: Counter[Event] = Counter()

    def attempt(self, domain: str, verdicts: Sequence[Verdict], seconds: float) -> None:
        """One line; a letter whose recipients fared differently gets one for each fate."""
        if len(verdicts) == 1:
            self._line(_kind(verdicts[0]), domain, verdicts, seconds)
            return
        for kind in _KINDS:
            about = [one for one in verdicts if _kind(one) is kind]
            if about:
                self._line(kind, domain, about, seconds)

    def _line(self, kind: Event, domain: str, about: Sequence[Verdict], seconds: float) -> None:
        self.counted[kind] += len(about)
        first = about[0]
        fields = {
            "domain": domain,
            "host": first.outcome.remote_mta,
            "recipients": len(about),
            "attempts": first.row.attempts,
        }
        if kind is Event.RELAYED:
            self._log.info(kind, **fields, seconds=round(seconds, 3))
        else:
            self._log.warning(kind, **fields, reason=first.outcome.reason)

    def silent(self, domain: str, silence: Silence, now: float) -> None:
        """Nobody can be reached there; again after every attempt that did not reach anybody either."""
        self._log.warning(
            Event.DOMAIN_SILENT,
            domain=domain,
            reason=silence.why.reason,
            failures=silence.failures,
            seconds=round(silence.until - now),
        )

    def back(self, domain: str) -> None:
        """It has answered after a silence."""
        self._log.info(Event.DOMAIN_BACK, domain=domain)


def _kind(verdict: Verdict) -> Event:
    if verdict.then is None:
        return Event.RELAYED
    return Event.RELAY_FAILED if isinstance(verdict.then, GiveUp) else Event.RELAY_DEFERRED
