"""Figures for Prometheus, derived from events; children are kept, since looking them up costs more than counting."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, generate_latest

from .events import Event


class Figures:
    """Counts accepted messages, refusals by reason, logins by result and our own faults."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._accepted = Counter("mss_messages_accepted", "Messages durably accepted", registry=self.registry)
        self._octets = Counter("mss_octets_accepted", "Octets of accepted messages", registry=self.registry)
        self._refused = Counter("mss_refusals", "Refusals by reason", ["reason"], registry=self.registry)
        self._logins = Counter("mss_logins", "Logins by result", ["result"], registry=self.registry)
        self._faults = Counter("mss_faults", "Faults of our own by event", ["event"], registry=self.registry)
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
        elif event.value.endswith("-fault"):
            self._child("fault", self._faults, event.value)

    def _child(self, family: str, counter: Counter, label: str) -> None:
        key = (family, label)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = counter.labels(label)
        child.inc()

    def render(self) -> bytes:
        """The exposition text of Prometheus."""
        return generate_latest(self.registry)
