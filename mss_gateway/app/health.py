"""What `doctor` examines and `figures` measures, part by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mss_gateway.observe.figures import Figures
from mss_gateway.ops.doctor import DoctorOperations
from mss_gateway.ops.figures import FigureOperations
from mss_gateway.ops.health_dns import DnsHealth
from mss_gateway.ops.health_queue import QueueHealth
from mss_gateway.ops.health_store import StoreHealth
from mss_gateway.ops.health_trust import TrustHealth
from mss_gateway.ops.operation import Operation
from mss_gateway.pipeline.outbound import Outbound
from mss_gateway.settings import Settings
from mss_gateway.storage.sqlite import SqliteStore
from mss_gateway.trust.desk import TrustDesk

from .trust_desk import Hosts


def health_table(
    settings: Settings,
    store: SqliteStore,
    outbound: Outbound,
    desk: TrustDesk,
    hosts: Hosts,
    figures: Figures,
) -> dict[str, Operation]:
    """The operations `doctor` and `figures`."""

    def silent() -> Mapping[str, str]:
        return {domain: silence.why.reason for domain, silence in outbound.silences.items()}

    async def places(domain: str) -> Sequence[str]:
        return list(dict.fromkeys(host for host, _, _ in await hosts.places(domain)))

    trust = TrustHealth(desk.status)
    queue = QueueHealth(store, silent, settings.outbound.warn_after)
    examinations = [
        ("trusted list", trust.examine),
        ("queue", queue.examine),
        ("store", StoreHealth(store, settings.store.path).examine),
    ]
    if not settings.book.patient_hosted:  # the patients' operator is found by nobody but others
        examinations.append(("dns", DnsHealth(places, settings.book.patient_domain).examine))
    return {
        **DoctorOperations(examinations).table(),
        **FigureOperations(figures, [trust.gauges, queue.gauges]).table(),
    }
