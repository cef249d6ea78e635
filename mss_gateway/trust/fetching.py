"""What is fetched, from where, and when next: the addresses of the options and their schedule (TRU-2, TRU-3)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from .anchors import MAX_FILE, Anchors, read_file
from .fetch import Fetched, Limits, Marks, address_of, fetch
from .lastgood import MASS_REMOVAL
from .options import TrustOptions
from .refusals import TrustProblem
from .revocation import RevocationList
from .schedule import FIRST_RETRY, Fetch, Schedule
from .status import FetchStatus, fetch_status

LIST: Literal["list"] = "list"
CRL: Literal["crl"] = "crl"
_NEAR_END = 12  # a CRL near its end is asked for at most this many times in its usual interval


@dataclass(frozen=True, slots=True)
class Source:
    """An address of the options; `what` is `list` or `crl`."""

    what: Literal["list", "crl"]
    url: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one fetch ended; `changed` tells that something else is in force, `reason` is empty when all is well.

    `octets` is 0 when the publisher said that nothing changed.
    """

    source: Source
    octets: int = 0
    changed: bool = False
    reason: str = ""
    sentence: str = ""


Take = Callable[[Source, bytes], bool]
"""Verifies what was fetched and puts it in force, True when it is news; raises `TrustProblem`."""


class Fetching:
    """The addresses of one trust space, each fetched by one caller at a time."""

    def __init__(self, options: TrustOptions, clock: Callable[[], float]) -> None:
        self._options = options
        self._clock = clock
        self._schedule = Schedule(options.state)
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        listed = [Source(LIST, options.list_url)] if options.list_url else []
        self.sources = (*listed, *(Source(CRL, url) for url in options.crl_urls))

    def due(self) -> tuple[Source, ...]:
        """What to fetch now."""
        now = self._clock()
        return tuple(one for one in self.sources if self._schedule.is_due(one.url, self._every(one), now))

    def get(
        self, source: Source, anchors: Anchors, *, known: bool, take: Take, interval: Interval
    ) -> Outcome:
        """Fetch one address and hand it over; what goes wrong is in the outcome and the record. Blocking.

        `known` tells that what the address gave last is at hand, so that the publisher may say "unchanged".
        """
        with self._lock:
            if source.url in self._busy:
                return Outcome(source)
            self._busy.add(source.url)
        try:
            return self._got(source, anchors, known, take, interval)
        finally:
            with self._lock:
                self._busy.discard(source.url)

    def forgive_lists(self) -> None:
        """A person has decided which list is in force: what was said of fetched ones is settled."""
        for source in self.sources:
            if source.what == LIST:
                with self._lock:
                    self._schedule.forgive(source.url)

    def records(self) -> list[tuple[Source, Fetch]]:
        """The record of every address."""
        return [(one, self._schedule.of(one.url)) for one in self.sources]

    def statuses(self) -> tuple[FetchStatus, ...]:
        """The same, readable."""
        return tuple(fetch_status(source.what, record) for source, record in self.records())

    @property
    def fault(self) -> TrustProblem | None:
        """Why the records cannot be kept, None when they can."""
        return self._schedule.fault

    def _got(self, source: Source, anchors: Anchors, known: bool, take: Take, interval: Interval) -> Outcome:
        marks = self._schedule.of(source.url).marks if known else Marks()
        every = self._every(source)
        try:
            fetched = self._fetched(source, anchors, marks)
        except TrustProblem as problem:
            with self._lock:
                self._schedule.failed(source.url, problem, every, self._clock(), content=False)
            return Outcome(source, 0, False, problem.reason, problem.sentence)
        if fetched.data is None:
            with self._lock:
                self._schedule.unchanged(source.url, interval(source), self._clock())
            return Outcome(source)
        octets = len(fetched.data)
        try:
            changed = take(source, fetched.data)
        except TrustProblem as problem:
            self._refused(source, problem, interval)
            return Outcome(source, octets, False, problem.reason, problem.sentence)
        with self._lock:
            self._schedule.succeeded(source.url, fetched.marks, interval(source), self._clock())
        return Outcome(source, octets, changed)

    def _refused(self, source: Source, problem: TrustProblem, interval: Interval) -> None:
        with self._lock:
            if problem.reason == MASS_REMOVAL:
                self._schedule.held(source.url, problem, interval(source), self._clock())
            else:
                every = self._every(source)
                self._schedule.failed(source.url, problem, every, self._clock(), content=True)

    def _fetched(self, source: Source, anchors: Anchors, marks: Marks) -> Fetched:
        options = self._options
        ca_pem = anchors.pem
        if options.fetch_ca_files:
            ca_pem = "".join(read_file(path).decode("ascii", "replace") for path in options.fetch_ca_files)
        limits = Limits(options.fetch_timeout, options.list_max_bytes if source.what == LIST else MAX_FILE)
        return fetch(address_of(source.url, plain=source.what == CRL), ca_pem, limits, marks)

    def _every(self, source: Source) -> float:
        return self._options.list_every if source.what == LIST else self._options.crl_every


Interval = Callable[[Source], float]
"""Seconds until an address is asked again after a success."""


def crl_interval(found: Iterable[RevocationList], every: float, now: float) -> float:
    """Seconds until a CRL address is asked again: sooner as the end of what it gave comes near."""
    at = datetime.fromtimestamp(now, UTC)
    left = min(((one.next_update - at).total_seconds() for one in found), default=0.0)
    soonest = min(every, max(FIRST_RETRY, every / _NEAR_END))
    return max(soonest, min(every, left / 2))
