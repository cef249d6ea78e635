"""Figures for Prometheus, derived from events; children are kept, since looking them up costs more than counting."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from .buckets import SIZES, Buckets
from .events import Event

# A second family for each counter, which nobody reads.
disable_created_metrics()  # type: ignore[no-untyped-call]
_RELAYED = {
    Event.RELAYED: "relayed",
    Event.RELAY_DEFERRED: "deferred",
    Event.RELAY_FAILED: "failed",
}
_FETCHED = {Event.TRUST_FETCHED: "fetched", Event.TRUST_FETCH_FAILED: "failed"}
_MECHANISMS = {
    name.lower(): name
    for name in (
        "password",
        "PLAIN",
        "LOGIN",
        "EXTERNAL",
        "XOAUTH2",
        "OAUTHBEARER",
        "SCRAM-SHA-256",
        "SCRAM-SHA-256-PLUS",
    )
}
_Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily

OTHER = "other"
"""The label of a mechanism that a client has made up."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """One value at this moment: its name with its unit at the end, its meaning, and what tells it from others.

    A `counter` only grows, from the start of the process on; its name is written without `_total`.
    """

    name: str
    meaning: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    counter: bool = False


Measure = Callable[[], Iterable[Gauge]]
"""Measures one part of the process now, at once."""


@dataclass(slots=True)
class Seen:
    """How often something was refused, and when last (epoch seconds)."""

    count: int = 0
    last_at: float = 0.0


class Figures:
    """Counts messages, refusals by reason, logins, attempts to relay, fetches, our own faults, and how long it took.

    The attributes are for the status page: totals since the start, and refusals by kind and reason.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.accepted = self.octets = self.refused = self.relayed = self.queued = 0
        self.refusals: dict[tuple[str, str], Seen] = {}
        self.accept_seconds = Buckets(
            "mss_message_accept_seconds", "From the end of a message to its durable acceptance"
        )
        self.imap_seconds = Buckets("mss_imap_command_seconds", "From an IMAP command to its answer")
        self.commit_seconds = Buckets(
            "mss_store_commit_seconds", "One batch of the store: its changes and their durable commit"
        )
        self.batch_jobs = Buckets("mss_store_batch_jobs", "Changes that one commit made durable", SIZES)
        self.lag_seconds = Buckets(
            "mss_loop_lag_seconds", "How late the event loop came to a task, looked at twice a second"
        )
        self._measures: list[Measure] = []
        self._refused = self._counter("mss_refusals", "Refusals by reason", ["reason"])
        self._handshakes = self._counter(
            "mss_tls_failures", "TLS handshakes that failed, by reason", ["reason"]
        )
        self._logins = self._counter("mss_logins", "Logins by mechanism and result", ["mechanism", "result"])
        self._faults = self._counter("mss_faults", "Faults of our own by event", ["event"])
        self._letters = self._counter(
            "mss_relay_attempts", "Attempts to hand a letter over, by result", ["result"]
        )
        self._troubles = self._counter(
            "mss_relay_troubles", "Attempts that did not end well, by reason", ["reason"]
        )
        self._peers = self._counter("mss_peers_refused", "Operators refused, by reason", ["reason"])
        self._fetches = self._counter(
            "mss_trust_fetches", "Fetches of the trusted list and of CRLs", ["result"]
        )
        self._children: dict[tuple[str, ...], Counter] = {}

    def _counter(self, name: str, meaning: str, labels: list[str]) -> Counter:
        return Counter(name, meaning, labels, registry=self.registry)

    def add_measure(self, measure: Measure) -> None:
        """Have something measured whenever the figures are read."""
        self._measures.append(measure)

    def event(self, event: Event, fields: Mapping[str, object]) -> None:
        """Count one event; most events are not counted."""
        if event is Event.MESSAGE_ACCEPTED:
            size, queued = fields.get("size"), fields.get("queued")
            self.accepted += 1
            self.octets += size if isinstance(size, int) else 0
            self.queued += queued if isinstance(queued, int) else 0
        elif event is Event.MESSAGE_REFUSED or event is Event.TLS_REFUSED:
            self._refusal(event, str(fields.get("reason")))
        elif event is Event.LOGIN:
            known = _MECHANISMS.get(str(fields.get("mechanism")).lower(), OTHER)
            result = str(fields.get("result"))
            self._child(self._logins, "login", known, result)
            if result != "ok":
                self._noted("login", result)
        elif event in _RELAYED:
            self._relay(event, fields)
        elif event is Event.PEER_REFUSED:
            self._noted("peer", str(fields.get("reason")))
            self._child(self._peers, "peer", str(fields.get("reason")))
        elif event in _FETCHED:
            self._child(self._fetches, "fetch", _FETCHED[event])
        elif event.value.endswith("-fault"):
            self._child(self._faults, "fault", event.value)

    def _refusal(self, event: Event, reason: str) -> None:
        self._child(self._refused, "refused", reason)
        if event is Event.TLS_REFUSED:
            self._child(self._handshakes, "tls", reason)
            self._noted("tls", reason)
        else:
            self.refused += 1
            self._noted("message", reason)

    def _relay(self, event: Event, fields: Mapping[str, object]) -> None:
        self._child(self._letters, "relay", _RELAYED[event])
        if event is Event.RELAYED:
            recipients = fields.get("recipients")
            self.relayed += recipients if isinstance(recipients, int) else 1
        else:
            self._child(self._troubles, "trouble", str(fields.get("reason")))
            self._noted("relay", str(fields.get("reason")))

    def _noted(self, kind: str, reason: str) -> None:
        seen = self.refusals.get((kind, reason))
        if seen is None:
            seen = self.refusals[kind, reason] = Seen()
        seen.count += 1
        seen.last_at = time.time()

    def _child(self, counter: Counter, *key: str) -> None:
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = counter.labels(*key[1:])
        child.inc()

    def render(self, gauges: Iterable[Gauge] = ()) -> bytes:
        """The exposition text of Prometheus, with what holds at this moment."""
        moment = [*self._totals(), *gauges, *(one for measure in self._measures for one in measure())]
        buckets = (
            self.accept_seconds,
            self.imap_seconds,
            self.commit_seconds,
            self.batch_jobs,
            self.lag_seconds,
        )
        families = [one.family() for one in buckets]
        return generate_latest(self.registry) + generate_latest(_Moment(moment, families))

    def _totals(self) -> Iterator[Gauge]:
        yield Gauge("mss_messages_accepted", "Messages durably accepted", self.accepted, counter=True)
        yield Gauge("mss_octets_accepted", "Octets of accepted messages", self.octets, counter=True)
        yield Gauge(
            "mss_recipients_queued", "Recipients put in the outbound queue", self.queued, counter=True
        )


class _Moment(CollectorRegistry):
    """Values of this moment as a registry of their own; those of one name stand together."""

    def __init__(self, gauges: Iterable[Gauge], families: Iterable[_Family]) -> None:
        super().__init__()
        self._gauges = tuple(gauges)
        self._ready = tuple(families)

    def collect(self) -> Iterator[_Family]:
        """Each name with its samples."""
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for one in self._gauges:
            family = families.get(one.name)
            if family is None:
                kind = CounterMetricFamily if one.counter else GaugeMetricFamily
                family = families[one.name] = kind(one.name, one.meaning, labels=list(one.labels))
            family.add_metric(list(one.labels.values()), one.value)
        yield from families.values()
        yield from self._ready
