"""argon2id in a bounded pool (ACC-2)."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator

import pytest
from argon2 import PasswordHasher

from mss_gateway.base.secret import Secret
from mss_gateway.identity.passwords import NICENESS, SAVED_UP, Allowance, Busy, PasswordOptions, Passwords
from mss_gateway.identity.scramkeys import ScramOptions, ScramVault


class GatedPasswords(Passwords):
    """Holds every verification until the gate opens, and counts them."""

    def __init__(self, options: PasswordOptions) -> None:
        super().__init__(options)
        self.gate = threading.Event()
        self.computed = 0

    def _check(self, stored: str, password: str) -> bool:
        self.gate.wait(60)
        self.computed += 1
        return super()._check(stored, password)


@pytest.fixture
async def passwords() -> AsyncIterator[GatedPasswords]:
    """Cheap hashes, two of them waiting at most."""
    pool = GatedPasswords(PasswordOptions(time_cost=1, memory_kib=64, waiting=2))
    pool.gate.set()
    yield pool
    pool.gate.set()
    pool.close()


@pytest.mark.req("ACC-2")
async def test_right_wrong_empty_and_damaged(passwords: GatedPasswords) -> None:
    """Only the right password for a real hash is right."""
    stored = await passwords.hash(Secret("right"))
    assert stored.startswith("$argon2id$")
    assert await passwords.verify(stored, Secret("right"))
    assert not await passwords.verify(stored, Secret("wrong"))
    assert not await passwords.verify("", Secret(""))
    assert not await passwords.verify("$argon2id$damaged", Secret("right"))


@pytest.mark.req("ACC-2")
async def test_two_hashes_of_one_password_differ(passwords: GatedPasswords) -> None:
    """Each has its own salt."""
    assert await passwords.hash(Secret("right")) != await passwords.hash(Secret("right"))


async def test_what_was_right_is_remembered_until_the_hash_changes(passwords: GatedPasswords) -> None:
    """A wrong password and a replaced hash are always computed."""
    stored = await passwords.hash(Secret("right"))
    for _ in range(3):
        assert await passwords.verify(stored, Secret("right"))
    assert passwords.computed == 1
    for _ in range(2):
        assert not await passwords.verify(stored, Secret("wrong"))
    assert passwords.computed == 3
    assert not await passwords.verify(await passwords.hash(Secret("new")), Secret("right"))
    assert passwords.computed == 4


async def test_what_was_remembered_is_forgotten() -> None:
    """With no time to remember, each login is computed."""
    pool = GatedPasswords(PasswordOptions(time_cost=1, memory_kib=64, remember=0.0))
    pool.gate.set()
    stored = await pool.hash(Secret("right"))
    assert await pool.verify(stored, Secret("right"))
    assert await pool.verify(stored, Secret("right"))
    assert pool.computed == 2
    pool.close()


@pytest.mark.req("ACC-2")
async def test_the_pool_is_bounded_and_the_loop_goes_on(passwords: GatedPasswords) -> None:
    """Past the limit the answer is `Busy`; what waits is answered when its turn comes."""
    stored = await passwords.hash(Secret("right"))
    passwords.gate.clear()
    waiting = [asyncio.create_task(passwords.verify(stored, Secret("wrong"))) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await passwords.verify(stored, Secret("right"))
    passwords.gate.set()
    assert await asyncio.gather(*waiting) == [False, False]
    assert await passwords.verify(stored, Secret("right"))


@pytest.mark.req("ACC-2")
async def test_hashing_stands_back_behind_the_mail() -> None:
    """Only the thread that hashes has a lower priority, not the process (Linux counts it by thread)."""
    pool = Passwords(PasswordOptions(time_cost=1, memory_kib=64))
    before = os.getpriority(os.PRIO_PROCESS, 0)
    niceness = await pool._run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
    assert niceness == min(19, NICENESS)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
    pool.close()


@pytest.mark.req("ACC-2")
async def test_a_record_holds_keys_only_where_they_are_asked_for() -> None:
    """Without a vault (SCRAM off) or a login there is the hash alone."""
    options = PasswordOptions(time_cost=1, memory_kib=64)
    vault = ScramVault(b"k" * 32, ScramOptions(iterations=16))
    with_vault, without = Passwords(options, vault), Passwords(options)
    record = await with_vault.hash(Secret("right"), "holder")
    hashed, keys = record.split("\n")
    assert await with_vault.verify(hashed, Secret("right"))
    assert vault.open(keys, hashed) is not None
    assert "\n" not in await with_vault.hash(Secret("right"))
    assert "\n" not in await without.hash(Secret("right"), "holder")
    assert "\n" not in await with_vault.hash(Secret("pro\u0007hibited"), "holder")
    with_vault.close()
    without.close()


@pytest.mark.req("ACC-2")
def test_strangers_take_their_share_of_a_core_and_no_more() -> None:
    """What was saved up is there at once; then as many hashes a second as the share pays for."""
    now = 0.0
    allowance = Allowance(0.25, lambda: now)
    assert allowance.take()
    allowance.priced(0.1)
    taken = 0
    for _ in range(2000):
        now += 0.05
        taken += allowance.take()
    assert abs(taken - (SAVED_UP + 0.25 * 100) / 0.1) <= 1


@pytest.mark.req("ACC-2")
def test_a_hash_that_costs_more_than_can_be_saved_up_is_paid_in_time() -> None:
    """An expensive setting makes strangers slow, never deaf."""
    now = 0.0
    allowance = Allowance(0.5, lambda: now)
    allowance.priced(3 * SAVED_UP)
    assert allowance.take()
    assert not allowance.take()
    now += 3 * SAVED_UP / 0.5
    assert allowance.take()


@pytest.mark.req("ACC-2")
async def test_a_stranger_beyond_the_share_is_busy_before_any_hash() -> None:
    """Right or wrong, of somebody or of nobody; who is known where they are goes on."""
    pool = GatedPasswords(PasswordOptions(time_cost=1, memory_kib=64, share=0.01))
    pool.gate.set()
    stored = await pool.hash(Secret("right"))
    pool._allowance.priced(SAVED_UP)
    assert not await pool.verify("", Secret("wrong"), stranger=True)
    pool._allowance.priced(SAVED_UP)
    for record, word in ((stored, "right"), (stored, "wrong"), ("", "wrong")):
        with pytest.raises(Busy):
            await pool.verify(record, Secret(word), stranger=True)
    assert pool.computed == 1
    assert await pool.verify(stored, Secret("right"))
    pool.close()


@pytest.mark.req("ACC-3")
async def test_the_hash_of_nobody_is_made_by_the_first_login_whoever_it_is_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A command that logs nobody in does not pay for it; its price tells nothing of the login that pays."""
    made: list[str] = []
    hashes = PasswordHasher.hash

    def counting(self: PasswordHasher, password: str) -> str:
        made.append(password)
        return hashes(self, password)

    monkeypatch.setattr(PasswordHasher, "hash", counting)
    counts = []
    for stored in ("", "$argon2id$damaged"):
        pool = Passwords(PasswordOptions(time_cost=1, memory_kib=64))
        for _ in range(2):
            counts.append(len(made))
            assert not await pool.verify(stored, Secret("right"))
        pool.close()
    assert counts == [0, 1, 1, 2]
    assert len(made) == 2
