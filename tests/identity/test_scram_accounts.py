"""SCRAM against the directory: keys that are made, sealed, and made up for nobody (ACC-2, ACC-3)."""

from collections.abc import AsyncIterator
from hashlib import pbkdf2_hmac
from unittest.mock import patch

import pytest

from mss_gateway.base.errors import Refuse
from mss_gateway.base.secret import Secret
from mss_gateway.identity import scramkeys
from mss_gateway.identity.accounts import WAIT, WRONG, Accounts
from mss_gateway.identity.locks import LockOptions, Locks
from mss_gateway.identity.passwords import PasswordOptions, Passwords
from mss_gateway.identity.scramkeys import ScramOptions, ScramVault
from mss_gateway.ports.identity import Principal, Trial
from mss_gateway.protocol.scram import derive
from mss_gateway.rules.facts import BoxState, BoxType
from mss_gateway.rules.slowdown import SlowdownOptions
from tests.support.directory import LINE, MemoryDirectory

SECRET = b"s" * 32
HOST = "192.0.2.1"
ROUNDS = 16
PASSWORD = Secret("correct horse")
LOGINS = ["holder", "disabled", "closed", "nobody", "medecin@exemple.mssante.fr", "nobody@exemple.mssante.fr"]


class World:
    """A directory with accounts over it; keys are cheap."""

    def __init__(self, rows: MemoryDirectory | None = None, secret: bytes = SECRET) -> None:
        self.rows = rows or MemoryDirectory()
        self.vault = ScramVault(secret, ScramOptions(iterations=ROUNDS))
        self.passwords = Passwords(PasswordOptions(time_cost=1, memory_kib=64), self.vault)
        self.locks = Locks(secret, LockOptions(pair=SlowdownOptions(free=4)))
        self.accounts = Accounts(self.rows, self.passwords, self.locks, self.vault, lambda: 0.0)

    async def trial(self, login: str) -> Trial:
        """A login begun."""
        trial = await self.accounts.scram(login, HOST)
        assert isinstance(trial, Trial)
        return trial

    async def fits(self, login: str, password: str) -> bool:
        """Would this password prove itself?"""
        keys = (await self.trial(login)).keys
        mine = derive(pbkdf2_hmac("sha256", password.encode(), keys.salt, keys.iterations))
        return (mine.stored, mine.server) == (keys.stored_key, keys.server_key)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Holder, somebody disabled, somebody whose mailbox is closed."""
    world = World()
    for login, name in (("holder", "medecin"), ("disabled", "sorti"), ("closed", "ferme")):
        box = await world.rows.provide(f"{name}@exemple.mssante.fr", BoxType.PER)
        person = await world.rows.tie(login, await world.passwords.hash(PASSWORD, login), (box, "holder"))
        if login == "disabled":
            world.rows.disable(person.id)
        if login == "closed":
            await world.rows.set_box_state(box.id, BoxState.CLOSED, "essai", LINE)
    yield world
    world.passwords.close()


@pytest.mark.req("ACC-2")
async def test_keys_are_made_with_the_password_and_fit_it_alone(world: World) -> None:
    """By login or by address; a new password has new keys at once."""
    assert await world.fits("holder", "correct horse")
    assert await world.fits("MEDECIN@exemple.mssante.fr", "correct horse")
    assert not await world.fits("holder", "correct horse ")
    await world.rows.set_password(1, await world.passwords.hash(Secret("nouveau mot"), "holder"), LINE)
    assert await world.fits("holder", "nouveau mot")
    assert not await world.fits("holder", "correct horse")


@pytest.mark.req("ACC-2")
async def test_who_has_no_keys_gets_them_at_the_next_plain_login(world: World) -> None:
    """The salt was the same before, so that nobody sees the difference."""
    await world.rows.set_password(1, await world.passwords.hash(PASSWORD), LINE)
    before = (await world.trial("holder")).keys
    assert not await world.fits("holder", "correct horse")
    assert isinstance(await world.accounts.plain("holder", Secret("wrong"), HOST), Refuse)
    assert not await world.fits("holder", "correct horse")
    assert isinstance(await world.accounts.plain("holder", PASSWORD, HOST), Principal)
    assert await world.fits("holder", "correct horse")
    after = (await world.trial("holder")).keys
    assert (before.salt, before.iterations) == (after.salt, after.iterations)


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize(
    "password", ["pässwörd-éàç", "пароль-длинный", "\u2168 avec\u00a0espace", "emoji 🔑 clé"]
)
async def test_passwords_beyond_ascii_are_one_in_every_spelling(world: World, password: str) -> None:
    """SASLprep (RFC 4013): what looks the same is the same, for PLAIN and SCRAM."""
    from unicodedata import normalize

    await world.rows.set_password(1, await world.passwords.hash(Secret(password), "holder"), LINE)
    for form in ("NFC", "NFD"):
        spelled = Secret(normalize(form, password))
        assert isinstance(await world.accounts.plain("holder", spelled, HOST), Principal)
    prepared = normalize("NFKC", password.replace("\u00a0", " "))
    assert await world.fits("holder", prepared)


@pytest.mark.req("ACC-3")
async def test_nothing_tells_who_exists(world: World) -> None:
    """Salt and iterations stay over time and restarts, in every spelling, and after a new password."""
    shown = {login: (await world.trial(login)).keys for login in LOGINS}
    again = World(world.rows)
    for login in LOGINS:
        for spelled in (login, login.upper()):
            keys = (await again.trial(spelled)).keys
            assert (keys.salt, keys.iterations) == (shown[login].salt, ROUNDS), spelled
    assert shown["nobody"].stored_key != shown["nobody@exemple.mssante.fr"].stored_key
    await world.rows.set_password(1, await world.passwords.hash(Secret("nouveau mot"), "holder"), LINE)
    assert (await world.trial("holder")).keys.salt == shown["holder"].salt
    other = World(world.rows, b"o" * 32)
    assert (await other.trial("nobody")).keys.salt != shown["nobody"].salt
    again.passwords.close()
    other.passwords.close()


@pytest.mark.req("ACC-2", "ACC-3")
@pytest.mark.parametrize("login", LOGINS)
async def test_every_wrong_login_costs_and_says_the_same(world: World, login: str) -> None:
    """No argon2id and no PBKDF2 on our side; one sealed record is opened; one refusal."""
    opened = 0

    def counted(self: object, *given: object) -> bytes:
        nonlocal opened
        opened += 1
        raise scramkeys.InvalidTag

    with (
        patch.object(scramkeys, "pbkdf2_hmac", side_effect=AssertionError),
        patch.object(world.passwords, "_run", side_effect=AssertionError),
    ):
        trial = await world.trial(login)
        assert await world.accounts.proved(trial, False) is WRONG
    world.vault._seal = type("Counted", (), {"decrypt": counted})()  # type: ignore[assignment]
    await world.trial(login)
    assert opened == 1


@pytest.mark.req("ACC-2", "BAL-5")
async def test_only_who_may_come_in_does_with_a_good_proof(world: World) -> None:
    """A disabled person and a closed box get the words of a wrong password."""
    outcomes = {login: await world.accounts.proved(await world.trial(login), True) for login in LOGINS}
    found = outcomes["holder"]
    assert isinstance(found, Principal)
    assert (found.auth, found.login) == ("scram", "holder")
    assert outcomes["disabled"] is outcomes["closed"] is outcomes["nobody"] is WRONG


@pytest.mark.req("ACC-2")
async def test_a_new_password_ends_what_scram_has_opened(world: World) -> None:
    """As for PLAIN; keys that are made afterwards end nothing."""
    found = await world.accounts.proved(await world.trial("holder"), True)
    assert isinstance(found, Principal)
    assert await world.accounts.still(found)
    await world.rows.put_login_keys(1, found.proof, "")
    assert await world.accounts.still(found)
    await world.rows.set_password(1, await world.passwords.hash(Secret("nouveau mot"), "holder"), LINE)
    assert not await world.accounts.still(found)


@pytest.mark.req("ACC-3")
async def test_wrong_proofs_and_wrong_passwords_are_counted_together(world: World) -> None:
    """And trials that began before the others failed are not heard, though they were right."""
    begun = [await world.trial("holder") for _ in range(6)]
    for trial in begun[:2]:
        assert await world.accounts.proved(trial, False) is WRONG
    for _ in range(2):
        assert await world.accounts.plain("medecin@exemple.mssante.fr", Secret("wrong"), HOST) is WRONG
    assert await world.accounts.proved(begun[4], True) is WAIT
    assert await world.accounts.scram("holder", HOST) is WAIT
    assert await world.accounts.plain("holder", PASSWORD, HOST) is WAIT
    assert isinstance(await world.accounts.plain("holder", PASSWORD, "192.0.2.9"), Principal)


@pytest.mark.req("ACC-2")
async def test_sealed_keys_open_only_here_and_beside_their_hash(world: World) -> None:
    """Not with another gateway's secret, another password's hash, other iterations, or damaged."""
    stored, hashed = await world.rows.login_keys(1), (await world.rows.persons([1]))[0].password_hash
    assert world.vault.open(stored, hashed) is not None
    assert world.vault.open(stored, hashed + "x") is None
    assert ScramVault(b"o" * 32, ScramOptions(iterations=ROUNDS)).open(stored, hashed) is None
    assert ScramVault(SECRET, ScramOptions(iterations=ROUNDS + 1)).open(stored, hashed) is None
    for damaged in ("", "$", "x", stored[:-4], stored.replace("16$", "17$", 1), "9" * 40 + stored[2:]):
        assert world.vault.open(damaged, hashed) is None, damaged
    keys = world.vault.open(stored, hashed)
    assert keys is not None
    assert keys.stored_key.hex() not in repr(keys)
