"""What a guesser could learn or block without a password, and what a login under way may outlive (ACC-3, BAL-5)."""

from collections.abc import AsyncIterator

import pytest

from mss_gateway.base.secret import Secret
from mss_gateway.identity.accounts import STRANGERS, WAIT, WRONG, Accounts
from mss_gateway.identity.locks import LockOptions, Locks
from mss_gateway.identity.passwords import PasswordOptions, Passwords
from mss_gateway.identity.scramkeys import ScramOptions, ScramVault
from mss_gateway.ports.identity import Principal, Trial
from mss_gateway.ports.records import Person
from mss_gateway.ports.store import StoreFull
from mss_gateway.rules.facts import BoxType
from mss_gateway.rules.slowdown import Slowdown, SlowdownOptions
from tests.support.directory import LINE, MemoryDirectory

SECRET = b"s" * 32
HOST = "192.0.2.1"
PASSWORD = Secret("correct horse")
SPELLINGS = ["{}", " {}", "{} ", "{}\t", "\u00a0{}", "{}\u2003"]


class World:
    """Two people, one whose login is not their address, and what guards them."""

    def __init__(self) -> None:
        self.rows = MemoryDirectory()
        self.vault = ScramVault(SECRET, ScramOptions(iterations=16))
        self.passwords = Passwords(PasswordOptions(time_cost=1, memory_kib=64), self.vault)
        self.locks = Locks(SECRET, LockOptions(pair=SlowdownOptions(free=2)))
        self.accounts = Accounts(self.rows, self.passwords, self.locks, self.vault, lambda: 0.0)

    async def salt(self, login: str) -> bytes:
        """What SCRAM shows of a login before any proof."""
        trial = await self.accounts.scram(login, HOST)
        assert isinstance(trial, Trial)
        return trial.keys.salt


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """`holder` with the address medecin@…, and somebody whose login is an address that no PER mailbox has."""
    world = World()
    hashed = await world.passwords.hash(PASSWORD, "holder")
    box = await world.rows.provide("medecin@exemple.mssante.fr", BoxType.PER)
    await world.rows.tie("holder", hashed, (box, "holder"))
    shared = await world.rows.provide("service@exemple.mssante.fr", BoxType.ORG)
    await world.rows.tie("membre@exemple.mssante.fr", hashed, (shared, "member"))
    yield world
    world.passwords.close()


@pytest.mark.req("ACC-3")
@pytest.mark.parametrize("form", [*SPELLINGS, '"{}"'])
@pytest.mark.parametrize(
    ("there", "nobody"),
    [
        ("holder", "nobody"),
        ("medecin@exemple.mssante.fr", "personne@exemple.mssante.fr"),
        ("membre@exemple.mssante.fr", "inconnu@exemple.mssante.fr"),
    ],
)
async def test_no_spelling_tells_who_exists(world: World, there: str, nobody: str, form: str) -> None:
    """Whether two spellings are one login, by their salt or by the wait of the other, does not depend on its owner."""
    shown = []
    for login in (there, nobody):
        local, at, domain = login.partition("@")
        spelled = form.format(local) + at + domain if form == '"{}"' else form.format(login)
        salts = await world.salt(login) == await world.salt(spelled)
        for _ in range(2):
            assert await world.accounts.plain(login, Secret("wrong"), HOST) is WRONG
        shown.append((salts, await world.accounts.plain(spelled, Secret("wrong"), HOST)))
    assert shown[0] == shown[1]


@pytest.mark.req("BAL-5")
async def test_a_trial_does_not_outlive_a_change_of_its_person(world: World) -> None:
    """Disabled or given a new password between the two messages of SCRAM: what was begun with the old one ends."""
    for change in ("disabled", "password"):
        trial = await world.accounts.scram("holder", HOST)
        assert isinstance(trial, Trial)
        if change == "password":
            await world.rows.set_password(1, await world.passwords.hash(Secret("autre mot"), "holder"), LINE)
        else:
            world.rows.disable(1)
        assert await world.accounts.proved(trial, True) is WRONG, change


@pytest.mark.req("BAL-5")
async def test_a_password_being_hashed_does_not_outlive_a_change_of_its_person(world: World) -> None:
    """The hash takes its time; who is disabled meanwhile stays outside."""
    verify = world.passwords.verify

    async def slow(stored: str, password: Secret, *, stranger: bool) -> bool:
        right = await verify(stored, password, stranger=stranger)
        world.rows.disable(1)
        return right

    world.passwords.verify = slow  # type: ignore[method-assign]
    assert await world.accounts.plain("holder", PASSWORD, HOST) is WRONG


@pytest.mark.req("ACC-3")
def test_a_clock_that_was_set_back_lengthens_no_wait() -> None:
    """A gateway that started in a wrong year must not keep people out until then."""
    counts = Slowdown(SlowdownOptions(free=2, first=4.0))
    for _ in range(3):
        counts.failed("account", 1_000_000.0)
    assert counts.wait("account", 1000.0) == 8.0
    assert counts.wait("account", 1004.0) == 4.0
    assert counts.wait("account", 1008.0) == 0.0


@pytest.mark.req("ACC-3")
async def test_who_is_known_at_an_address_is_heard_whatever_the_neighbours_do(world: World) -> None:
    """One machine behind the hospital's address guesses; those who have logged in from there still can."""
    assert isinstance(await world.accounts.plain("holder", PASSWORD, HOST), Principal)
    for number in range(200):
        world.locks.failed(f"unknown:{number}", HOST, 0.0)
    assert await world.accounts.plain("somebody", Secret("wrong"), HOST) is WAIT
    assert isinstance(await world.accounts.plain("holder", PASSWORD, HOST), Principal)
    assert await world.accounts.plain("holder", Secret("wrong"), HOST) is WRONG
    assert await world.accounts.plain("holder", PASSWORD, HOST) is WAIT


@pytest.mark.req("ACC-3")
def test_tokens_without_a_login_do_not_block_one_another() -> None:
    """OAUTHBEARER may name nobody: one client with a stale token must not keep its neighbours out."""
    locks = Locks(SECRET, LockOptions(pair=SlowdownOptions(free=2), source=SlowdownOptions(free=20)))
    nobody = locks.tokens("")
    for _ in range(19):
        locks.failed(nobody, HOST, 0.0)
    assert locks.wait(nobody, HOST, 0.0) == 0.0
    locks.failed(nobody, HOST, 0.0)
    assert locks.wait(nobody, HOST, 0.0) > 0.0


@pytest.mark.req("ACC-3")
async def test_nobody_is_remembered_like_somebody_until_the_directory_changes(world: World) -> None:
    """The second look costs no question to the directory; who was added since comes in; a crowd is forgotten."""
    await world.salt("nouveau")
    asked: list[str] = []
    person = world.rows.person

    async def counted(login: str) -> Person | None:
        asked.append(login)
        return await person(login)

    world.rows.person = counted  # type: ignore[method-assign]
    await world.salt("nouveau")
    assert asked == []
    box = await world.rows.provide("nouveau@exemple.mssante.fr", BoxType.PER)
    await world.rows.tie("nouveau", await world.passwords.hash(PASSWORD), (box, "holder"))
    world.accounts.directory_changed()
    assert isinstance(await world.accounts.plain("nouveau", PASSWORD, HOST), Principal)
    for number in range(STRANGERS + 10):
        await world.accounts.whose(f"inconnu{number}")
    assert len(world.accounts._strangers) <= STRANGERS


@pytest.mark.req("ACC-2")
async def test_a_full_disk_keeps_nobody_out_for_want_of_scram_keys(world: World) -> None:
    """They are made at the next login for which there is room."""

    async def full(person_id: int, password_hash: str, keys: str) -> None:
        raise StoreFull("no room")

    world.rows.keys.clear()
    world.rows.put_login_keys = full  # type: ignore[method-assign]
    assert isinstance(await world.accounts.plain("holder", PASSWORD, HOST), Principal)
