"""The national directory of one gateway: its reader, its watch, its operations, imports by hand."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from mss_gateway.directory.annuaire import Annuaire
from mss_gateway.directory.copies import Copies
from mss_gateway.directory.desk import AnnuaireDesk
from mss_gateway.directory.watch import AnnuaireWatch
from mss_gateway.observe.log import Log
from mss_gateway.ops.annuaire import AnnuaireOperations
from mss_gateway.ops.annuaire_compare import CompareOperations
from mss_gateway.ops.health_directory import DirectoryHealth
from mss_gateway.ops.masking import masked
from mss_gateway.ops.operation import Operation
from mss_gateway.settings import Settings
from mss_gateway.storage.sqlite import SqliteStore


def annuaire_of(settings: Settings) -> Annuaire:
    """The reader of the copy in force; opened with the first question."""
    return Annuaire(Copies(settings.directory.state))


def annuaire_work(
    settings: Settings, annuaire: Annuaire, log: Log
) -> Callable[[], Coroutine[Any, Any, None]]:
    """What keeps it current in the background."""
    return AnnuaireWatch(settings.directory, annuaire, log).run


def annuaire_table(settings: Settings, annuaire: Annuaire) -> dict[str, Operation]:
    """`directory …` by name."""
    return masked(AnnuaireOperations(AnnuaireDesk(settings.directory, annuaire)).table())


def compare_table(settings: Settings, annuaire: Annuaire, store: SqliteStore) -> dict[str, Operation]:
    """`directory compare`, which needs the store as well."""
    desk = AnnuaireDesk(settings.directory, annuaire)
    return masked(CompareOperations(desk, store, settings.book.hosted).table())


def annuaire_health(settings: Settings, annuaire: Annuaire) -> DirectoryHealth:
    """What the doctor looks at."""
    return DirectoryHealth(AnnuaireDesk(settings.directory, annuaire).status)


@contextlib.asynccontextmanager
async def annuaire_operations(settings: Settings) -> AsyncIterator[dict[str, Operation]]:
    """The operations alone: no store is opened for them."""
    annuaire = annuaire_of(settings)
    try:
        yield annuaire_table(settings, annuaire)
    finally:
        await annuaire.close()
