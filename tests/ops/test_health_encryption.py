"""What the doctor says of encryption at rest (OPS-2, OPS-5)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from mss_gateway.ops import health_encryption
from mss_gateway.ops.doctor import Check, Verdict
from mss_gateway.ops.health_encryption import EncryptionHealth
from mss_gateway.ports.encryption import EncryptionStatus, Goal, KeyUse, Work
from mss_gateway.storage.sqlite.keys import UnusableKeys

OLD, NEW = KeyUse("2025", 0.0, 0, False), KeyUse("2026", 0.0, 90, True)


class Bodies:
    """A store with this status, or none that can be counted in time."""

    def __init__(self, status: EncryptionStatus, *, endless: bool = False) -> None:
        self._status = status
        self._endless = endless

    async def encryption_status(self) -> EncryptionStatus:
        """The status."""
        if self._endless:
            await asyncio.Event().wait()
        return self._status


async def examined(
    status: EncryptionStatus,
    names: Sequence[str] | Exception = ("2026",),
    *,
    seals: bool = True,
    endless: bool = False,
) -> list[Check]:
    """Keys and bodies."""

    async def keys() -> Sequence[str]:
        if isinstance(names, Exception):
            raise names
        return names

    store = Bodies(status, endless=endless)
    return list(await EncryptionHealth(store, seals, keys).examine())  # type: ignore[arg-type]


@pytest.mark.req("OPS-2", "OPS-5")
async def test_all_is_well_and_a_spare_key_is_named() -> None:
    """A key that no message needs may still be needed by a backup."""
    keys, bodies = await examined(EncryptionStatus(True, (OLD, NEW), 0, None), ("2025", "2026"))
    assert (keys.verdict, bodies.verdict) == (Verdict.GOOD, Verdict.GOOD)
    assert "no message needs 2025 any more, older backups may" in keys.evidence
    assert bodies.evidence == "90 of 90 messages are encrypted"


@pytest.mark.req("OPS-2", "OPS-5")
async def test_messages_in_the_clear_and_sealed_ones_of_former_times_are_doubt() -> None:
    """Unless work is under way."""
    clear = EncryptionStatus(True, (NEW,), 10, None)
    assert (await examined(clear))[1].verdict is Verdict.DOUBT
    work = Work(Goal.ENCRYPT, 40, 100, 30, 0.0)
    busy = (await examined(EncryptionStatus(True, (NEW,), 10, work)))[1]
    assert (busy.verdict, "encrypt is at 40 of 100" in busy.evidence) == (Verdict.GOOD, True)
    off = (await examined(EncryptionStatus(False, (NEW,), 10, None), seals=False))[1]
    assert (off.verdict, "new ones are not" in off.evidence) == (Verdict.DOUBT, True)


@pytest.mark.req("OPS-2", "OPS-5")
async def test_keys_that_have_gone_are_bad() -> None:
    """The gateway works on with those in memory: it is told before the next start."""
    status = EncryptionStatus(True, (NEW,), 0, None)
    missing = (await examined(status, ("other",)))[0]
    assert (missing.verdict, "2026" in missing.evidence) == (Verdict.BAD, True)
    unreadable = (await examined(status, UnusableKeys("others may read it (mode 0644): chmod 0600 it")))[0]
    assert (unreadable.verdict, "mode 0644" in unreadable.evidence) == (Verdict.BAD, True)
    strange = (await examined(status, ValueError("canari-de-cle")))[0]
    assert (strange.verdict, "canari" in strange.evidence) == (Verdict.BAD, False)


@pytest.mark.req("OPS-2")
async def test_a_store_too_large_to_count_does_not_hold_the_doctor_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It says where the count is."""
    monkeypatch.setattr(health_encryption, "COUNTING", 0.01)
    checks = await examined(EncryptionStatus(True, (NEW,), 0, None), endless=True)
    assert "encryption status" in checks[1].evidence
