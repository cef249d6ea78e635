"""The operations by name: those that need only the store, and those of a gateway that serves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from mss_gateway.identity.passwords import Passwords
from mss_gateway.ops.activity import ActivityOperations
from mss_gateway.ops.audit import AuditOperations
from mss_gateway.ops.autoconfig import AutoconfigOperations
from mss_gateway.ops.box_import import BoxImportOperations
from mss_gateway.ops.box_pages import BoxPages
from mss_gateway.ops.boxes import BoxOperations, Provisioning
from mss_gateway.ops.channels import ChannelOperations, ClosingOperations
from mss_gateway.ops.choices import ChoiceOperations
from mss_gateway.ops.delegations import DelegationOperations
from mss_gateway.ops.encryption import EncryptionOperations
from mss_gateway.ops.explain import ExplainOperations
from mss_gateway.ops.extract import ExtractOperations
from mss_gateway.ops.identities import IdentityOperations
from mss_gateway.ops.masking import masked
from mss_gateway.ops.operation import Operation
from mss_gateway.ops.patients import PatientOperations
from mss_gateway.ops.people import PersonOperations
from mss_gateway.ops.queue import QueueOperations, WithdrawalOperations
from mss_gateway.ops.quotas import QuotaOperations
from mss_gateway.ops.structures import StructureOperations
from mss_gateway.ops.takeover import TakeoverOperations, Workbench
from mss_gateway.ops.timeline import TimelineOperations
from mss_gateway.ops.trust import TrustOperations
from mss_gateway.ops.undelete import UndeleteOperations
from mss_gateway.pipeline.queueing import Withdrawal
from mss_gateway.settings import Settings
from mss_gateway.storage.sqlite import SqliteStore

from .annuaire import annuaire_health, annuaire_table, compare_table
from .ground import Ground, clean_spool, secret_key
from .health import health_table
from .keeping import keeper_of, keeping_table
from .line import Line
from .logins import login_book
from .trust_desk import Hosts
from .watch import Watch


@contextlib.asynccontextmanager
async def operations(settings: Settings) -> AsyncIterator[dict[str, Operation]]:
    """The operations alone, on a store that no gateway has open; raises `StoreError`."""
    store = SqliteStore(settings.store)
    await store.open()
    logins = login_book(settings, secret_key(settings.state / "correlation.key"))
    keeper = keeper_of(settings, store)
    executor = ThreadPoolExecutor(1, thread_name_prefix="disk")
    try:
        workbench = Workbench(clean_spool(settings.store.path / "spool"), executor, settings.store.seals)
        table = operation_table(settings, store, logins.passwords, workbench)
        yield {**table, **logins.table(store), **keeping_table(keeper, store)}
    finally:
        keeper.stop()
        await asyncio.to_thread(logins.close)
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
        **BoxPages(provisioning, store).table(),
        **ActivityOperations(provisioning, store).table(),
        **PersonOperations(store, passwords).table(),
        **StructureOperations(store).table(),
        **DelegationOperations(provisioning, store).table(),
        **BoxImportOperations(store, settings.book.hosted, settings.file.gateway.probe).table(),
        **IdentityOperations(store, settings.house).table(),
        **patients.table(),
        **ChannelOperations(store).table(),
        **UndeleteOperations(store, settings.store.keep_deleted).table(),
        **TimelineOperations(store).table(),
        **AuditOperations(store, settings.audit).table(),
        **AutoconfigOperations(settings.http).table(),
        **EncryptionOperations(store).table(),
    }
    # The octets of messages are not answers to mask: the commands mask what they show of them.
    mail = {
        **TakeoverOperations(provisioning, store, workbench).table(),
        **ExtractOperations(provisioning, store).table(),
    }
    return {**masked(table), **mail, **QueueOperations(store).table()}


def serving_table(ground: Ground, line: Line, watch: Watch) -> dict[str, Operation]:
    """The operations of a gateway that serves."""
    settings, store, log = ground.settings, ground.store, ground.log
    desk, hosts = watch.desk, Hosts(settings.relay)
    workbench = Workbench(ground.spool, ground.executor, settings.store.seals)
    return {
        **operation_table(settings, store, ground.passwords, workbench),
        **ground.logins.table(store),
        **keeping_table(line.keeping.keeper, store),
        **EncryptionOperations(store, line.reencryption).table(),
        **masked(ExplainOperations(line.gather, line.reader).table()),
        **masked(ClosingOperations(line.closer).table()),
        **QueueOperations(store, line.outbound).table(),
        **WithdrawalOperations(store, line.outbound, Withdrawal(store, line.outbound, log)).table(),
        **TrustOperations(desk, hosts.places, line.book.forget).table(),
        **annuaire_table(settings, line.annuaire),
        **compare_table(settings, line.annuaire, store),
        **health_table(
            settings,
            store,
            line.outbound,
            desk,
            hosts,
            log.figures,
            watch,
            line.tokens,
            line.keeping.health,
            annuaire_health(settings, line.annuaire),
            line.auditing,
        ),
    }
