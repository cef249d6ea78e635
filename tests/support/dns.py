"""A name server for one test: the demo's own, started on a free port of loopback."""

from __future__ import annotations

from mss_gateway.dev.dns import Mood, NameServer, Zone


class DnsServer(NameServer):
    """`zone` (name → type → values as in a zone file) and `moods` may change while it runs.

    A name outside the zone is NXDOMAIN; `silent` makes one name get no answer at all.
    """

    def __init__(self, zone: Zone | None = None) -> None:
        super().__init__(zone or {})

    def put(self, name: str, **records: list[str]) -> None:
        """Set the records of a name, such as `put("x.fr", MX=["10 mx.x.fr."])`."""
        self.zone[name] = {kind: list(values) for kind, values in records.items()}

    def silent(self, name: str) -> None:
        """Give no answer for this name from now on."""
        self.moods[name] = Mood.SILENT
