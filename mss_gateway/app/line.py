"""The straight line of a message, built once: login, gather, intake, delivery, what follows in the background."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mss_gateway.directory.annuaire import Annuaire
from mss_gateway.directory.book import Book
from mss_gateway.documents.archive import read_facts
from mss_gateway.imapd.hub import Hub
from mss_gateway.ops.box_file import ScheduledImport
from mss_gateway.ops.box_import import BoxImportOperations
from mss_gateway.pipeline.alerts import Alerting
from mss_gateway.pipeline.auditing import Auditing
from mss_gateway.pipeline.closing import Closer
from mss_gateway.pipeline.forgetting import Forgetting
from mss_gateway.pipeline.gather import Gather
from mss_gateway.pipeline.housekeeping import Housekeeping
from mss_gateway.pipeline.intake import Clock, Intake, IntakeOptions
from mss_gateway.pipeline.letters import local_offset
from mss_gateway.pipeline.login import Login
from mss_gateway.pipeline.notes import Notes
from mss_gateway.pipeline.outbound import Outbound
from mss_gateway.pipeline.quota_warnings import QuotaWarner
from mss_gateway.pipeline.reading import Reader
from mss_gateway.pipeline.receipts import ReceiptWriter
from mss_gateway.pipeline.reencryption import Reencryption
from mss_gateway.relay.courier import RelayCourier
from mss_gateway.relay.smarthost import MailSmarthost

from .annuaire import annuaire_of, annuaire_work
from .entrance import entrance, token_book
from .ground import Ground
from .keeping import Keeping, build_keeping

if TYPE_CHECKING:
    from mss_gateway.identity.oidc import OidcBook

DAY = 86400.0

Work = Callable[[], Coroutine[Any, Any, None]]
"""Background work: runs until it is cancelled."""


@dataclass(frozen=True, slots=True)
class Line:
    """What carries messages; `background` runs as long as the gateway."""

    book: Book
    hub: Hub
    notes: Notes
    login: Login
    gather: Gather
    reader: Reader
    intake: Intake
    closer: Closer
    courier: RelayCourier
    outbound: Outbound
    annuaire: Annuaire
    background: tuple[Work, ...]
    keeping: Keeping
    reencryption: Reencryption
    auditing: Auditing
    tokens: OidcBook | None = None

    async def finish(self) -> None:
        """What is under way comes to its end; nothing new has come since."""
        await self.intake.finish()
        await self.notes.flush()
        await self.courier.close()
        await self.annuaire.close()
        await self.auditing.finish()


def build_line(ground: Ground) -> Line:
    """Put the line together on its ground."""
    settings, store, trust, log = ground.settings, ground.store, ground.trust, ground.log
    book = Book(store, trust, settings.book)
    store.on_directory_change(book.forget)
    hub = Hub()
    store.on_folder_change(hub.changed)
    store.on_tree_change(hub.tree_changed)
    notes = Notes(store)
    annuaire = annuaire_of(settings)
    gather = Gather(book, store, settings.house, store, store, annuaire)
    reader = Reader(gather, read_facts, ground.executor)
    options = IntakeOptions(settings.mta.hostname, ground.spool, ground.key, settings.store.seals)
    intake = Intake(gather, reader, store, notes, log, ground.executor, options)
    receipts = ReceiptWriter(store, book, intake.stationery, log)
    store.on_opened(receipts.wake)
    closer = Closer(store, book, intake.stationery, log)
    courier = RelayCourier(settings.relay, trust, ground.refused)
    outbound = Outbound(store, courier, book, intake.stationery, log, settings.outbound)
    tokens = token_book(settings, log)
    login = entrance(ground, notes, tokens)
    background: list[Work] = [notes.run, receipts.run, closer.run, outbound.run, ground.logins.file.run]
    warner = QuotaWarner(store, book, intake.stationery, log, settings.file.mailboxes.quota_warnings)
    store.on_folder_change(warner.changed)
    store.on_directory_change(warner.directory_changed)
    background.append(warner.run)
    if settings.mailbox_file is not None:
        operations = BoxImportOperations(store, settings.book.hosted, settings.file.gateway.probe)
        background.append(ScheduledImport(operations, settings.mailbox_file, log).run)
    background.append(annuaire_work(settings, annuaire, log))
    auditing = Auditing(store, settings.audit, log)
    background.append(auditing.run)
    # With nothing kept from now on, too: what an earlier setting kept ends like the rest.
    background.append(Forgetting(store, settings.store.keep_deleted, log).run)
    keep = settings.file.keep
    background.append(Housekeeping(store, keep.expunged_days * DAY, keep.compact_below, log).run)
    if tokens is not None:
        background.append(tokens.run)
    keeping = build_keeping(settings, store, log)
    background.append(keeping.schedule.run)
    reencryption = Reencryption(store, log)
    background.append(reencryption.run)
    if settings.alerts is not None and settings.smarthost is not None:
        alerting = Alerting(
            store, MailSmarthost(settings.smarthost), settings.alerts, local_offset, Clock(), log
        )
        store.on_alert(alerting.wake)
        background.append(alerting.run)
    return Line(
        book,
        hub,
        notes,
        login,
        gather,
        reader,
        intake,
        closer,
        courier,
        outbound,
        annuaire,
        tuple(background),
        keeping,
        reencryption,
        auditing,
        tokens,
    )
