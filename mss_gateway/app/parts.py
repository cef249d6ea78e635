"""The parts of one gateway, put together: the store, the trust space, the line, the doors' handlers."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mss_gateway.directory.book import Book
from mss_gateway.documents.archive import read_facts
from mss_gateway.identity.accounts import Accounts
from mss_gateway.identity.passwords import Passwords
from mss_gateway.imapd.hub import Hub
from mss_gateway.observe.figures import Figures
from mss_gateway.observe.log import Log
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
from mss_gateway.pipeline.alerts import Alerting
from mss_gateway.pipeline.closing import Closer
from mss_gateway.pipeline.filing import Filing
from mss_gateway.pipeline.gather import Gather
from mss_gateway.pipeline.intake import Clock, Intake, IntakeOptions
from mss_gateway.pipeline.letters import local_offset
from mss_gateway.pipeline.login import Login
from mss_gateway.pipeline.notes import Notes
from mss_gateway.pipeline.outbound import Outbound
from mss_gateway.pipeline.queueing import Withdrawal
from mss_gateway.pipeline.reading import Reader
from mss_gateway.pipeline.receipts import ReceiptWriter
from mss_gateway.relay.courier import RelayCourier
from mss_gateway.relay.smarthost import MailSmarthost
from mss_gateway.settings import Settings
from mss_gateway.storage.sqlite import SqliteStore
from mss_gateway.trust.desk import TrustDesk
from mss_gateway.trust.guard import Trust
from mss_gateway.trust.refused import RefusedBook

from .health import health_table
from .trust_desk import Hosts

WORKERS = 4  # threads for disk writes and large scans


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that lives as long as the gateway."""

    settings: Settings
    log: Log
    store: SqliteStore
    trust: Trust
    book: Book
    notes: Notes
    hub: Hub
    login: Login
    intake: Intake
    filing: Filing
    operations: dict[str, Operation]
    closer: Closer
    background: tuple[Callable[[], Coroutine[Any, Any, None]], ...]


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


@contextlib.asynccontextmanager
async def parts(settings: Settings, log: Log | None = None) -> AsyncIterator[Parts]:
    """Open store and trust space and build the line; closes everything in the end.

    Raises `StoreError` and `TrustProblem` with one sentence for the operator.
    """
    log = log or Log(settings.log, Figures())
    trust = await asyncio.to_thread(Trust, settings.trust)
    refused = await asyncio.to_thread(RefusedBook, settings.trust.state)
    store = SqliteStore(settings.store)
    await store.open()
    passwords = Passwords()
    executor = ThreadPoolExecutor(WORKERS, thread_name_prefix="disk")
    try:
        spool = clean_spool(settings.store.path / "spool")
        key = secret_key(settings.state / "correlation.key")
        book = Book(store, trust, settings.book)
        store.on_directory_change(book.forget)
        hub = Hub()
        store.on_folder_change(hub.changed)
        store.on_tree_change(hub.tree_changed)
        notes = Notes(store)
        gather = Gather(book, store, settings.house, store, store)
        reader = Reader(gather, read_facts, executor)
        hostname = settings.mta.hostname
        intake = Intake(gather, reader, store, notes, log, executor, IntakeOptions(hostname, spool, key))
        receipts = ReceiptWriter(store, book, intake.stationery, log)
        store.on_opened(receipts.wake)
        closer = Closer(store, book, intake.stationery, log)
        courier = RelayCourier(settings.relay, trust, refused)
        outbound = Outbound(store, courier, book, intake.stationery, log, settings.outbound)
        background = [notes.run, receipts.run, closer.run, outbound.run]
        if settings.alerts is not None and settings.smarthost is not None:
            smarthost = MailSmarthost(settings.smarthost)
            alerting = Alerting(store, smarthost, settings.alerts, local_offset, Clock(), log)
            store.on_alert(alerting.wake)
            background.append(alerting.run)
        desk, hosts = TrustDesk(trust, refused, hostname), Hosts(settings.relay)
        login = Login(trust, Accounts(store, passwords), notes, log, refused)
        store.on_directory_change(login.directory_changed)
        table = {
            **operation_table(settings, store, passwords, Workbench(spool, executor)),
            **masked(ExplainOperations(gather, reader).table()),
            **masked(ClosingOperations(closer).table()),
            **QueueOperations(store, outbound).table(),
            **WithdrawalOperations(store, outbound, Withdrawal(store, outbound, log)).table(),
            **TrustOperations(desk, hosts.places, book.forget).table(),
            **health_table(settings, store, outbound, desk, hosts, log.figures),
        }
        yield Parts(
            settings,
            log,
            store,
            trust,
            book,
            notes,
            hub,
            login,
            intake,
            Filing(intake, executor),
            table,
            closer,
            tuple(background),
        )
        await intake.finish()
        await notes.flush()
        await courier.close()
    finally:
        await store.close()
        await asyncio.to_thread(refused.close)
        passwords.close()
        executor.shutdown(wait=True)


def secret_key(path: Path) -> bytes:
    """32 random octets, made once and kept in a private file; raises OSError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(os.urandom(32))
        return path.read_bytes()


def clean_spool(folder: Path) -> Path:
    """Make the spool folder, without what a killed gateway left: nothing in it was ever acknowledged."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for entry in os.scandir(folder):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(entry.path)
    return folder
