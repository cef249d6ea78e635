"""The operations by name: those that need only the store, and those of a gateway that serves."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from mss_gateway.identity.passwords import Passwords
from mss_gateway.ops.activity import ActivityOperations
from mss_gateway.ops.boxes import BoxOperations, Provisioning
from mss_gateway.ops.channels import ChannelOperations, ClosingOperations
from mss_gateway.ops.choices import ChoiceOperations
from mss_gateway.ops.explain import ExplainOperations
from mss_gateway.ops.extract import ExtractOperations
from mss_gateway.ops.identities import IdentityOperations
from mss_gateway.ops.masking import masked
from mss_gateway.ops.operation import Operation
from mss_gateway.ops.patients import PatientOperations
from mss_gateway.ops.queue import QueueOperations, WithdrawalOperations
from mss_gateway.ops.quotas import QuotaOperations
from mss_gateway.ops.takeover import TakeoverOperations, Workbench
from mss_gateway.ops.timeline import TimelineOperations
from mss_gateway.ops.trust import TrustOperations
from mss_gateway.pipeline.queueing import Withdrawal
from mss_gateway.settings import Settings
from mss_gateway.storage.sqlite import SqliteStore
from mss_gateway.trust.desk import TrustDesk

from .ground import Ground, clean_spool
from .health import health_table
from .line import Line
from .trust_desk import Hosts


@contextlib.asynccontextmanager
async def operations(settings: Settings) -> AsyncIterator[dict[str, Operation]]:
    """The operations alone, on a store that no gateway has open; raises `StoreError`."""
    store = SqliteStore(settings.store)
    await store.open()
    passwords = Passwords()
    executor = ThreadPoolExecutor(1, thread_name_prefix="disk")
    try:
        workbench = Workbench(clean_spool(settings.store.path / "spool"), executor)
        yield operation_table(settings, store, passwords, workbench)
    finally:
        passwords.close()
        await store.close()
        executor.shutdown(wait=True)


def operation_table(
    settings: Settings, store: SqliteStore, passwords: Passwords, workbench: Workbench
) -> dict[str, Operation]:
    """The operations of directory, channels and mailboxes by name, without an INS in what they answer."""
    provisioning = Provisioning(store, passwords, settings.book.hosted, settings.house)
    patients = PatientOperations(provisioning, settings.house, settings.book.patient_hosted)
    table = {
        **BoxOperations(provisioning).table(),
        **ChoiceOperations(provisioning).table(),
        **QuotaOperations(provisioning, store).table(),
        **ActivityOperations(provisioning, store).table(),
        **IdentityOperations(store, settings.house).table(),
        **patients.table(),
        **ChannelOperations(store).table(),
        **TimelineOperations(store).table(),
    }
    # The octets of messages are not answers to mask: the commands mask what they show of them.
    mail = {
        **TakeoverOperations(provisioning, store, workbench).table(),
        **ExtractOperations(provisioning, store).table(),
    }
    return {**masked(table), **mail, **QueueOperations(store).table()}


def serving_table(ground: Ground, line: Line) -> dict[str, Operation]:
    """The operations of a gateway that serves."""
    settings, store, log = ground.settings, ground.store, ground.log
    desk, hosts = TrustDesk(ground.trust, ground.refused, settings.mta.hostname), Hosts(settings.relay)
    workbench = Workbench(ground.spool, ground.executor)
    return {
        **operation_table(settings, store, ground.passwords, workbench),
        **masked(ExplainOperations(line.gather, line.reader).table()),
        **masked(ClosingOperations(line.closer).table()),
        **QueueOperations(store, line.outbound).table(),
        **WithdrawalOperations(store, line.outbound, Withdrawal(store, line.outbound, log)).table(),
        **TrustOperations(desk, hosts.places, line.book.forget).table(),
        **health_table(settings, store, line.outbound, desk, hosts, log.figures),
    }
