"""What keeps the store: backups and examinations, by hand and by the clock (OPS-5)."""

from __future__ import annotations

from dataclasses import dataclass

from mss_gateway.observe.log import Log
from mss_gateway.ops.health_keep import KeepHealth
from mss_gateway.ops.keeping import KeepingOperations
from mss_gateway.ops.keeping_schedule import Schedule
from mss_gateway.ops.operation import Operation
from mss_gateway.settings import Settings
from mss_gateway.storage.sqlite import SqliteStore
from mss_gateway.storage.sqlite.backup_keeper import SqliteKeeper
from mss_gateway.storage.sqlite.backup_options import KeptPlace


@dataclass(frozen=True, slots=True)
class Keeping:
    """The keeper of a gateway that serves, its clock, and what the doctor asks of them."""

    keeper: SqliteKeeper
    schedule: Schedule
    health: KeepHealth


def keeper_of(settings: Settings, store: SqliteStore) -> SqliteKeeper:
    """The keeper of a store."""
    place = KeptPlace(settings.state, settings.path.resolve(), settings.store)
    return SqliteKeeper(store, place, settings.keeping)


def keeping_table(keeper: SqliteKeeper, store: SqliteStore) -> dict[str, Operation]:
    """The operations of backups and examinations."""
    return KeepingOperations(keeper, store).table()


def build_keeping(settings: Settings, store: SqliteStore, log: Log) -> Keeping:
    """For a gateway that serves; `schedule.run` is background work."""
    keeper = keeper_of(settings, store)
    every = settings.keeping.every if settings.keeping.to is not None else None

    async def first() -> None:
        await keeper.tidy()
        await store.tell_restored()

    schedule = Schedule(keeper, every, log, first)
    return Keeping(keeper, schedule, KeepHealth(keeper, schedule))
