"""What `doctor` examines and `figures` measures, part by part."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from mss_gateway.observe.figures import Figures
from mss_gateway.ops.doctor import DoctorOperations
from mss_gateway.ops.figures import FigureOperations
from mss_gateway.ops.health import HealthOperations
from mss_gateway.ops.health_audit import AuditHealth
from mss_gateway.ops.health_clock import ClockHealth
from mss_gateway.ops.health_directory import DirectoryHealth
from mss_gateway.ops.health_dns import DnsHealth
from mss_gateway.ops.health_encryption import EncryptionHealth
from mss_gateway.ops.health_glance import GlanceHealth
from mss_gateway.ops.health_keep import KeepHealth
from mss_gateway.ops.health_login import TokenHealth
from mss_gateway.ops.health_people import PeopleHealth
from mss_gateway.ops.health_ports import PortHealth
from mss_gateway.ops.health_queue import QueueHealth
from mss_gateway.ops.health_store import StoreHealth
from mss_gateway.ops.health_trust import TrustHealth
from mss_gateway.ops.operation import Operation
from mss_gateway.ops.round_trip import Probe, RoundTripHealth
from mss_gateway.ops.status import Sources, StatusOperations
from mss_gateway.pipeline.auditing import Auditing
from mss_gateway.pipeline.outbound import Outbound
from mss_gateway.settings import Settings
from mss_gateway.storage.sqlite import SqliteStore
from mss_gateway.storage.sqlite.keys import EncryptionOptions, read_keys
from mss_gateway.trust.desk import TrustDesk

from .trust_desk import Hosts
from .watch import Watch

if TYPE_CHECKING:
    from mss_gateway.identity.oidc import OidcBook


def health_table(
    settings: Settings,
    store: SqliteStore,
    outbound: Outbound,
    desk: TrustDesk,
    hosts: Hosts,
    figures: Figures,
    watch: Watch,
    tokens: OidcBook | None = None,
    keeping: KeepHealth | None = None,
    directory: DirectoryHealth | None = None,
    auditing: Auditing | None = None,
) -> dict[str, Operation]:
    """The operations `doctor`, `figures` and `status`."""

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
        ("consistency", GlanceHealth(store).examine),
    ]
    if not settings.book.patient_hosted:  # the patients' operator is found by nobody but others
        examinations.append(("dns", DnsHealth(places, settings.book.patient_domain).examine))
    if settings.mailbox_file is not None:
        people = PeopleHealth(store, settings.mailbox_file.path)
        examinations.append(("mailbox import", people.examine))
    if tokens is not None:
        examinations.append(("token provider", TokenHealth(tokens.examined).examine))
    gauges = [trust.gauges, queue.gauges]
    if directory is not None:
        examinations.append(("national directory", directory.examine))
        gauges.append(directory.gauges)
    if keeping is not None:
        examinations.append(("backup", keeping.examine))
        gauges.append(keeping.gauges)
    if auditing is not None:
        audit = AuditHealth(store, auditing, settings.audit.seal_seconds, store.audit_key)
        examinations.append(("audit chain", audit.examine))
        gauges.append(audit.gauges)
    if settings.store.encryption is not None:
        encrypted = EncryptionHealth(store, settings.store.seals, key_names(settings.store.encryption))
        examinations.append(("encryption", encrypted.examine))
    examinations.append(("clock", ClockHealth(signed_last(desk)).examine))
    doctor = DoctorOperations(
        examinations,
        [
            ("ports", PortHealth(watch.doors).examine),
            ("round trip", RoundTripHealth(probe_of(settings), watch.doors).examine),
        ],
    )
    sources = Sources(
        settings.mta.hostname,
        store,
        watch.silent,
        desk.status,
        doctor.doctor,
        watch.readiness,
        figures,
        watch.pulse,
        settings.store.path,
        settings.outbound.warn_after,
    )
    return {
        **doctor.table(),
        **HealthOperations(watch.readiness.reasons).table(),
        **FigureOperations(figures, gauges).table(),
        **StatusOperations(sources).table(),
    }


def key_names(options: EncryptionOptions) -> Callable[[], Awaitable[Collection[str]]]:
    """Reads the ring again, and gives away the names alone."""

    async def names() -> Collection[str]:
        return tuple(await asyncio.to_thread(read_keys, options))

    return names


def probe_of(settings: Settings) -> Probe | None:
    """The mailbox of the round trip with our own certificate, where one is kept for it."""
    address = settings.file.gateway.probe
    return Probe(address, settings.trust.certificate, settings.trust.key) if address else None


def signed_last(desk: TrustDesk) -> Callable[[], Awaitable[float]]:
    """When the newest of the trusted list and the revocation lists was signed, epoch seconds."""

    async def newest() -> float:
        status = await asyncio.to_thread(desk.status)
        signed = [one["this_update"] for one in status["crls"]]
        return float(max([*signed, time.time() - status["list"]["age_hours"] * 3600]))

    return newest
