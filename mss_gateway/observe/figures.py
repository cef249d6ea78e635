"""Figures for Prometheus, derived from events; children are kept, since looking them up costs more than counting."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily

from .events import Event

_RELAYED = {
    Event.RELAYED: "relayed",
    Event.RELAY_DEFERRED: "deferred",
    Event.RELAY_FAILED: "failed",
}
_FETCHED = {Event.TRUST_FETCHED: "fetched", Event.TRUST_FETCH_FAILED: "failed"}


@dataclass(frozen=True, slots=True)
class Gauge:
    """One value at this moment: its name with its unit at the end, its meaning, and what tells it from others."""

    name: str
    meaning: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


class Figures:
    """Counts messages, refusals by reason, logins, attempts to relay, fetches, and our own faults."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._accepted = Counter("mss_messages_accepted", "Messages durably accepted", registry=self.registry)
        self._octets = Counter("mss_octets_accepted", "Octets of accepted messages", registry=self.registry)
        self._refused = Counter("mss_refusals", "Refusals by reason", ["reason"], registry=self.registry)
        self._logins = Counter("mss_logins", "Logins by result", ["result"], registry=self.registry)
        self._faults = Counter("mss_faults", "Faults of our own by event", ["event"], registry=self.registry)
        self._letters = Counter(
            "mss_relay_attempts",
            "Attempts to hand a letter over, by result",
            ["result"],
            registry=self.registry,
        )
        self._troubles = Counter(
            "mss_relay_troubles",
            "Attempts that did not end well, by reason",
            ["reason"],
            registry=self.registry,
        )
        self._peers = Counter(
            "mss_peers_refused", "Operators refused, by reason", ["reason"], registry=self.registry
        )
        self._fetches = Counter(
            "mss_trust_fetches", "Fetches of the trusted list and of CRLs", ["result"], registry=self.registry
        )
        self._children: dict[tuple[str, str], Counter] = {}

    def event(self, event: Event, fields: Mapping[str, object]) -> None:
        """Count one event; most events are not counted."""
        if event is Event.MESSAGE_ACCEPTED:
            self._accepted.inc()
            size = fields.get("size")
            self._octets.inc(size if isinstance(size, int) else 0)
        elif event is Event.MESSAGE_REFUSED or event is Event.TLS_REFUSED:
            self._child("refused", self._refused, str(fields.get("reason")))
        elif event is Event.LOGIN:
            self._child("login", self._logins, str(fields.get("result")))
        elif event in _RELAYED:
            self._child("relay", self._letters, _RELAYED[event])
            if event is not Event.RELAYED:
                self._child("trouble", self._troubles, str(fields.get("reason")))
        elif event is Event.PEER_REFUSED:
            self._child("peer", self._peers, str(fields.get("reason")))
        elif event in _FETCHED:
            self._child("fetch", self._fetches, _FETCHED[event])
        elif event.value.endswith("-fault"):
            self._child("fault", self._faults, event.value)

    def _child(self, family: str, counter: Counter, label: str) -> None:
        key = (family, label)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = counter.labels(label)
        child.inc()

    def render(self, gauges: Iterable[Gauge] = ()) -> bytes:
        """The exposition text of Prometheus, with what holds at this moment."""
        return generate_latest(self.registry) + generate_latest(_Moment(gauges))


class _Moment(CollectorRegistry):
    """Gauges as a registry of their own; those of one name stand together."""

    def __init__(self, gauges: Iterable[Gauge]) -> None:
        super().__init__()
        self._gauges = tuple(gauges)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Each name with its samples."""
        families: dict[str, GaugeMetricFamily] = {}
        for one in self._gauges:
            family = families.get(one.name)
            if family is None:
                family = families[one.name] = GaugeMetricFamily(
                    one.name, one.meaning, labels=list(one.labels)
                )
            family.add_metric(list(one.labels.values()), one.value)
        yield from families.values()
