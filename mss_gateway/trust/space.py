"""What is in force in the trust space, and how it changes: files, fetches, commands (TRU-2, TRU-3).

Its parts are swapped whole, so that no connection ever sees half of a change.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from . import dn
from .anchors import load_anchors, read_file
from .fetched import FetchedCrls
from .fetching import CRL, LIST, Fetching, Outcome, Source, crl_interval
from .lastgood import FILE, MASS_REMOVAL, ListDiff, ListShelf, mass_removal
from .listing import NO_LIST, TrustedList
from .material import Alarm, Material, compose, material_alarms, read_material, stamps
from .options import TrustOptions
from .refusals import TrustProblem
from .revocation import RevocationLists, load_revocation
from .signature import ListSigner
from .status import ListStatus, TrustStatus, authority_statuses, crl_statuses, own_statuses
from .verifier import Terms, verify_list

if TYPE_CHECKING:
    from .ocsp import Statuses

REBUILD_RETRY = 60.0  # seconds until contexts that could not be built are tried again


class TrustSpace:
    """Holds contexts, authorities, CRLs and the trusted list, and lets one change them at a time.

    Opening raises `TrustProblem` with one sentence; it fetches only what is at hand nowhere. Methods marked
    blocking read files, verify or fetch: call them in a thread. Everything else is quick and meant for the
    event loop.
    """

    def __init__(self, options: TrustOptions, clock: Callable[[], float] = time.time) -> None:
        self.options = options
        self.clock = clock
        self._lock = threading.Lock()
        self._refused: dict[str, Alarm] = {}
        self._generation = 0
        self._fetching = Fetching(options, clock)
        self._crls = FetchedCrls(options.state, options.crl_urls)
        self._statuses = _statuses(options, clock)
        self._seen = stamps(options)
        self._material = read_material(options, None, clock(), self._crls)
        self._signer_key = dn.key_of_text(options.list_signer, options.st_is_l)
        self._shelf = ListShelf(options.state, self._verify_list, options.list_max_removed)
        self._list = NO_LIST
        self._open()
        self._generation = 0

    # --- reload and fetch

    def poll(self) -> bool:
        """Reload when a file has changed since the last look; True when it did. Blocking."""
        if stamps(self.options) == self._seen:
            return False
        self.reload()
        return True

    def reload(self) -> tuple[Alarm, ...]:
        """Read every file again; what cannot be used is reported and what was in force before stays.

        Connections are not dropped; new handshakes use the new contexts, whose empty session caches
        make every peer show its certificate again. Blocking.
        """
        with self._lock:
            self._seen = stamps(self.options)
            try:
                self._material = read_material(self.options, self._material, self.clock(), self._crls)
                self._tell("material", None)
            except TrustProblem as problem:
                self._tell("material", problem)
            self._offer_file()
            self._changed()
        return tuple(self._refused.values())

    @property
    def sources(self) -> tuple[Source, ...]:
        """Every address that is fetched."""
        return self._fetching.sources

    def due_fetches(self) -> tuple[Source, ...]:
        """The addresses whose time has come."""
        return self._fetching.due()

    def fetch(self, source: Source) -> Outcome:
        """Fetch one address, verify what it gives and put it in force; never raises `TrustProblem`. Blocking.

        What was in force stays when it cannot be had or used, and an alarm tells so.
        """
        anchors = self._material.anchors
        if source.what == LIST:
            known = self._shelf.current is not None
            return self._fetching.get(
                source, anchors, known=known, take=self._take_list, interval=lambda _: self.options.list_every
            )
        known = bool(self._crls.of(source.url, anchors))
        return self._fetching.get(
            source, anchors, known=known, take=self._take_crl, interval=self._crl_interval
        )

    def _take_list(self, source: Source, data: bytes) -> bool:
        with self._lock:
            before = self._shelf.current
            after = self._shelf.offer(data, source.url)
            if after is not before:
                self._changed()
            return after is not before

    def _take_crl(self, source: Source, data: bytes) -> bool:
        with self._lock:
            material = self._material
            anchors, crls = material.anchors, material.crls
            try:
                if not self._crls.take(source.url, data, anchors, crls, self.now()):
                    return False
            finally:  # also when it is good and only cannot be kept
                newer = load_revocation((), anchors, crls, self._crls.usable(anchors))
                if newer.pem != crls.pem:
                    self._compose(replace(material, crls=newer))
                    self._changed()
            return True

    def _crl_interval(self, source: Source) -> float:
        found = self._crls.of(source.url, self._material.anchors)
        return crl_interval(found, self.options.crl_every, self.clock())

    # --- the list by command

    def apply_list(self, data: bytes) -> TrustedList:
        """Put a list in force by command; raises `ListRefused`, also when it waits for a confirmation. Blocking.

        An older one is refused (`rollback_list` goes back). It stays until its sources give something new.
        """
        return self._decide(lambda: self._shelf.apply(data))

    def preview_list(self, data: bytes) -> ListDiff:
        """What a list would change; raises `ListRefused` when it could not be taken. Blocking."""
        return self._shelf.preview(data)

    def confirm_list(self) -> TrustedList:
        """Put in force a list held back for its mass removal; raises `ListRefused`. Blocking."""
        return self._decide(self._shelf.confirm)

    def rollback_list(self) -> TrustedList:
        """Go back to the list before; raises `ListRefused`. Blocking."""
        return self._decide(self._shelf.rollback)

    def held_list(self) -> ListDiff | None:
        """What the held list would change, None when none is held."""
        return self._shelf.held

    def previous_diff(self) -> ListDiff | None:
        """The list in force against the one before, None when none is kept; raises `ListRefused`. Blocking."""
        with self._lock:
            return self._shelf.compare_previous()

    def _decide(self, act: Callable[[], TrustedList]) -> TrustedList:
        with self._lock:
            act()
            self._tell("list", None)
            self._fetching.forgive_lists()
            self._changed()
            return self._list

    # --- how things are

    def now(self) -> datetime:
        """The moment by which dates are judged, in UTC."""
        return datetime.fromtimestamp(self.clock(), UTC)

    def alarms(self) -> tuple[Alarm, ...]:
        """What is wrong or about to be: refused reloads and fetches, list age, CRLs, our own certificates (TRU-3)."""
        now = self.now()
        found = list(self._refused.values())
        for source, record in self._fetching.records():
            if record.reason:
                found.append(Alarm(record.reason, record.sentence, source.url))
            if record.refused:
                found.append(Alarm(record.refused, record.remark, source.url))
        found = [one for one in found if one.reason != MASS_REMOVAL]
        held = self._shelf.held
        if held is not None:
            found.append(Alarm(MASS_REMOVAL, mass_removal(held)))
        fault = self._fetching.fault
        if fault is not None:
            found.append(Alarm(fault.reason, fault.sentence))
        age = self._list.age_hours(now)
        if age > self.options.list_alarm_hours:
            found.append(Alarm("list-old", f"the trusted list is {age:.0f} hours old: fetch the current one"))
        found.extend(material_alarms(self.options, self._material, now))
        if self._statuses is not None:
            found.extend(self._statuses.alarms())
        return tuple(found)

    def status(self) -> TrustStatus:
        """All that is in force, where it came from and what is wrong. Reads our certificates: blocking."""
        material, one = self._material, self._list
        return TrustStatus(
            ListStatus(
                one.generated_at,
                one.age_hours(self.now()),
                one.digest,
                one.entries,
                len(one.domains),
                one.unreadable,
                self._shelf.source,
                self._shelf.held,
            ),
            self._fetching.statuses(),
            crl_statuses(material),
            authority_statuses(material.anchors.certificates),
            own_statuses(self.options),
            self._generation,
            self.alarms(),
        )

    # --- inside

    def _tell(self, about: str, problem: TrustProblem | None) -> None:
        """Set or lift an alarm; the table is replaced, since the loop reads it at any time."""
        table = {name: alarm for name, alarm in self._refused.items() if name != about}
        if problem is not None:
            table[about] = Alarm(problem.reason, problem.sentence)
        self._refused = table

    def _changed(self) -> None:
        self._list = self._shelf.current or self._list
        self._watch_signer()
        self._generation += 1

    def _compose(self, material: Material) -> None:
        """New contexts of what is in force; with an own key that cannot be read the old contexts stay."""
        now = self.clock()
        try:
            self._material = compose(self.options, material.anchors, material.crls, material.peers, now)
        except TrustProblem as problem:
            self._tell("material", problem)
            self._material = replace(material, rebuild_at=now + REBUILD_RETRY)

    def _offer_file(self) -> None:
        path = self.options.list_file
        if path is None:
            return
        try:
            self._shelf.offer(read_file(path), FILE)
            self._tell("list", None)
        except TrustProblem as problem:
            self._tell("list", problem)

    def _verify_list(self, data: bytes, held: TrustedList | None, at: datetime | None) -> TrustedList:
        """Verify a list now, or (`at`) a copy that was verified then, whose signer may have been revoked since."""
        signer = self._signer(at)
        if at is not None:
            signer = replace(signer, crls=RevocationLists({}))
        return verify_list(data, Terms(signer, self.now(), held, self.options.list_max_bytes))

    def _signer(self, at: datetime | None = None) -> ListSigner:
        options, material = self.options, self._material
        anchors = material.anchors
        if options.list_signer_ca_files:
            anchors = load_anchors(options.list_signer_ca_files, test_authorities=options.test_authorities)
        return ListSigner(anchors, self._signer_key, material.crls, options.st_is_l, at)

    def _watch_signer(self) -> None:
        """A list in force whose signer has been revoked since stays, with an alarm: mail goes on (TRU-3)."""
        try:
            revoked = self._list is not NO_LIST and self._signer().revoked(self._list.signer)
        except TrustProblem as problem:  # the files of the signer's authorities
            self._tell("list-signer", problem)
            return
        sentence = (
            "the signer of the trusted list in force has been revoked: ask its publisher for a new list"
        )
        self._tell("list-signer", TrustProblem("list-signer-revoked", sentence) if revoked else None)

    def _open(self) -> None:
        """Before anybody is served: a CRL of every authority, and a list; what is at hand is not waited for."""
        if not self._covered():
            missing = self._crls.missing(self._material.anchors)
            wanted = [one for one in self.sources if one.what == CRL and one.url in missing]
            with ThreadPoolExecutor(len(wanted) or 1) as pool:
                outcomes = list(pool.map(self.fetch, wanted))
            if outcomes and not self._material.crls.by_issuer:
                raise _nothing(outcomes[0], "no CRL is at hand")
        self._shelf.restore()
        self._offer_file()
        if self._shelf.current is None:
            outcomes = [self.fetch(one) for one in self.sources if one.what == LIST]
            self._check_list(outcomes)
        self._changed()

    def _covered(self) -> bool:
        crls, anchors = self._material.crls, self._material.anchors
        return all(one.subject in crls.by_issuer for one in anchors.certificates)

    def _check_list(self, outcomes: list[Outcome]) -> None:
        if self._shelf.current is not None:
            return
        if outcomes:
            raise _nothing(outcomes[0], "no trusted list is at hand")
        if self.options.list_file is None:
            raise TrustProblem(
                "list-missing", "no trusted list is configured: set trust.list or trust.list_url"
            )
        alarm = self._refused["list"]
        raise TrustProblem(alarm.reason, f"{self.options.list_file}: {alarm.sentence}")


def _statuses(options: TrustOptions, clock: Callable[[], float]) -> Statuses | None:
    """What responders say, None when they are not asked; loaded when they are."""
    if options.ocsp == "off":
        return None
    from .ocsp import Statuses

    return Statuses(options, clock)


def _nothing(outcome: Outcome, what: str) -> TrustProblem:
    return TrustProblem(
        outcome.reason,
        f"{outcome.sentence}; {what}, so start again then, or put a file in place (section trust)",
    )
