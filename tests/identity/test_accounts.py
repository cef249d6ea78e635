"""From credentials to a principal."""

from collections.abc import AsyncIterator

import pytest

from mss_gateway.base.errors import Refuse
from mss_gateway.base.secret import Secret
from mss_gateway.identity.accounts import (
    BUSY,
    NOT_YOURS,
    OTHER_CERTIFICATE,
    UNKNOWN_CERTIFICATE,
    WAIT,
    WHICH_BOX,
    WRONG,
    Accounts,
)
from mss_gateway.identity.locks import LockOptions, Locks
from mss_gateway.identity.passwords import Busy, PasswordOptions, Passwords
from mss_gateway.identity.scramkeys import ScramOptions, ScramVault
from mss_gateway.ports.identity import Principal
from mss_gateway.ports.records import BoxRow
from mss_gateway.rules.facts import BoxState, BoxType, CallerKind
from mss_gateway.rules.slowdown import SlowdownOptions
from tests.support.directory import LINE, MemoryDirectory

CHEAP = PasswordOptions(time_cost=1, memory_kib=64)
RIGHT = Secret("correct horse")
HOST = "192.0.2.1"
PATIENT = "285037728417346@patient.mssante.fr"


class CountedPasswords(Passwords):
    """Counts the hashes that were computed."""

    def __init__(self) -> None:
        super().__init__(CHEAP)
        self.computed = 0

    def _check(self, stored: str, password: str) -> bool:
        self.computed += 1
        return super()._check(stored, password)


@pytest.fixture
async def passwords() -> AsyncIterator[CountedPasswords]:
    """A pool with cheap hashes."""
    pool = CountedPasswords()
    yield pool
    pool.close()


class World:
    """A directory with one login, and the accounts over it."""

    def __init__(self, passwords: CountedPasswords, stored: str) -> None:
        self.rows = MemoryDirectory()
        self.stored = stored
        self.passwords = passwords
        self.at = 0.0
        locks = Locks(b"k" * 32, LockOptions(pair=SlowdownOptions(free=3)))
        vault = ScramVault(b"k" * 32, ScramOptions(offered=False))
        self.accounts = Accounts(self.rows, passwords, locks, vault, lambda: self.at)

    async def login(self, login: str, password: Secret = RIGHT) -> Principal | Refuse:
        """Log in from one address."""
        return await self.accounts.plain(login, password, HOST)

    async def box(self, name: str, kind: BoxType, *, password_login: bool = False) -> BoxRow:
        """A box of ours."""
        return await self.rows.provide(f"{name}@exemple.mssante.fr", kind, password_login)


@pytest.fixture
async def world(passwords: CountedPasswords) -> World:
    """An empty directory."""
    return World(passwords, await passwords.hash(RIGHT))


def principal(outcome: Principal | Refuse) -> Principal:
    """The principal of a login that must succeed."""
    assert isinstance(outcome, Principal), outcome
    return outcome


@pytest.mark.req("BAL-2")
async def test_the_holder_opens_a_nominative_box_by_login_or_address(world: World) -> None:
    """Case does not matter; the caller of the rules holds exactly this box."""
    box = await world.box("Medecin", BoxType.PER)
    await world.rows.tie("holder", world.stored, (box, "holder"))
    for login in ("holder", "HOLDER", "medecin@exemple.mssante.fr"):
        found = principal(await world.login(login))
        assert found.boxes == (box,)
        assert found.kind is CallerKind.PERSON
        assert found.caller().boxes == {"medecin@exemple.mssante.fr"}


@pytest.mark.req("BAL-2")
@pytest.mark.parametrize("role", ["member", "responsible"])
async def test_nobody_but_the_holder_opens_a_nominative_box(world: World, role: str) -> None:
    """Whatever tie the directory holds."""
    box = await world.box("medecin", BoxType.PER)
    await world.rows.tie("other", world.stored, (box, role))
    assert await world.login("other") is WRONG


@pytest.mark.req("BAL-3")
async def test_members_open_a_shared_box_each_with_their_own_login(world: World) -> None:
    """The box has no login of its own, and being responsible for it opens nothing."""
    own, shared = await world.box("medecin", BoxType.PER), await world.box("accueil", BoxType.ORG)
    await world.rows.tie("one", world.stored, (shared, "member"), (own, "holder"))
    await world.rows.tie("two", world.stored, (shared, "member"))
    await world.rows.tie("chief", world.stored, (shared, "responsible"))
    one, two = principal(await world.login("one")), principal(await world.login("two"))
    assert one.boxes == (own, shared)
    assert one.primary == own
    assert two.boxes == (shared,)
    assert (one.login, two.login) == ("one", "two")
    assert await world.login("chief") is WRONG
    assert await world.login("accueil@exemple.mssante.fr") is WRONG


async def test_a_patient_opens_the_box_of_its_address(world: World) -> None:
    """PAT-4: the kind of the caller is the patient's."""
    box = await world.rows.provide(PATIENT, BoxType.PAT)
    await world.rows.tie(PATIENT, world.stored, (box, "holder"))
    assert principal(await world.login(PATIENT)).kind is CallerKind.PATIENT


@pytest.mark.req("BAL-4")
@pytest.mark.parametrize("role", ["holder", "member", "responsible"])
async def test_an_applicative_box_takes_a_password_only_where_switched_on(world: World, role: str) -> None:
    """The certificate is the way in."""
    closed = await world.box("robot", BoxType.APP)
    opened = await world.box("automate", BoxType.APP, password_login=True)
    await world.rows.tie("robot", world.stored, (closed, role))
    await world.rows.tie("automate", world.stored, (opened, role))
    assert await world.login("robot") is WRONG
    found = principal(await world.login("automate"))
    assert found.kind is CallerKind.APPLICATION
    assert found.boxes == (opened,)


@pytest.mark.req("BAL-4")
async def test_a_certificate_opens_the_applicative_box_it_is_registered_for(world: World) -> None:
    """One box needs no name; of several, one must be named; the name never widens what is registered."""
    first, second = await world.box("un", BoxType.APP), await world.box("deux", BoxType.APP)
    person = await world.box("medecin", BoxType.PER)
    await world.rows.add_certificate(first.id, "dn-1", "CN=1", LINE)
    await world.rows.add_certificate(person.id, "dn-1", "CN=1", LINE)
    found = principal(await world.accounts.certificate("dn-1", ""))
    assert (found.boxes, found.auth, found.kind) == ((first,), "external", CallerKind.APPLICATION)
    for other in (second.address, person.address, "nobody@exemple.mssante.fr"):
        assert await world.accounts.certificate("dn-1", other) is OTHER_CERTIFICATE
    assert await world.accounts.certificate("dn-2", "") is UNKNOWN_CERTIFICATE
    await world.rows.add_certificate(second.id, "dn-1", "CN=1", LINE)
    assert await world.accounts.certificate("dn-1", "") is WHICH_BOX
    assert principal(await world.accounts.certificate("dn-1", second.address.upper())).boxes == (second,)


@pytest.mark.req("BAL-3", "ACC-2")
async def test_an_authorization_identity_chooses_among_the_own_boxes(world: World) -> None:
    """It comes first; what the login does not open is refused, whether it exists or not."""
    own, shared = await world.box("medecin", BoxType.PER), await world.box("accueil", BoxType.ORG)
    other = await world.box("autre", BoxType.ORG)
    await world.rows.tie("one", world.stored, (shared, "member"), (own, "holder"))
    for asked, boxes in [
        ("", (own, shared)),
        ("ONE", (own, shared)),
        ("Accueil@exemple.mssante.fr", (shared, own)),
        (own.address, (own, shared)),
    ]:
        found = principal(await world.accounts.plain("one", RIGHT, HOST, asked))
        assert found.boxes == boxes
    for asked in (other.address, "nobody@exemple.mssante.fr", "@@"):
        assert await world.accounts.plain("one", RIGHT, HOST, asked) is NOT_YOURS
        assert await world.accounts.plain("one", Secret("wrong"), HOST, asked) is WRONG


@pytest.mark.req("BAL-5")
@pytest.mark.parametrize("state", [BoxState.SUSPENDED, BoxState.CLOSED])
async def test_a_suspended_or_closed_box_lets_nobody_in(world: World, state: BoxState) -> None:
    """Neither by password nor by certificate, and with the words of any wrong login."""
    box, robot = await world.box("medecin", BoxType.PER), await world.box("robot", BoxType.APP)
    await world.rows.tie("holder", world.stored, (box, "holder"))
    await world.rows.add_certificate(robot.id, "dn", "CN=1", LINE)
    for one in (box, robot):
        await world.rows.set_box_state(one.id, state, "essai", LINE)
    assert await world.login("holder") is WRONG
    assert await world.accounts.certificate("dn", "") is UNKNOWN_CERTIFICATE


@pytest.mark.req("ACC-2", "ACC-3")
async def test_every_way_to_fail_costs_one_hash_and_says_the_same(world: World) -> None:
    """No oracle on which accounts exist."""
    shared = await world.box("accueil", BoxType.ORG)
    await world.rows.tie("known", world.stored, (await world.box("medecin", BoxType.PER), "holder"))
    disabled = await world.rows.tie("disabled", world.stored, (shared, "member"))
    world.rows.disable(disabled.id)
    await world.rows.tie("without-password", "", (shared, "member"))
    wrong = Secret("wrong")
    logins = [
        "known",
        "disabled",
        "without-password",
        "unknown",
        "accueil@exemple.mssante.fr",
        "@@",
        "x" * 900,
    ]
    for login in logins:
        before = world.passwords.computed
        assert await world.login(login, wrong) is WRONG, login
        assert world.passwords.computed == before + 1, login


@pytest.mark.req("ACC-3")
async def test_guessing_is_slowed_down_by_account_and_the_right_password_waits_too(world: World) -> None:
    """Otherwise the answer would tell that the guess was right."""
    await world.rows.tie("known", world.stored, (await world.box("medecin", BoxType.PER), "holder"))
    for _ in range(3):
        assert await world.login("known", Secret("wrong")) is WRONG
    computed = world.passwords.computed
    assert await world.login("KNOWN") is WAIT
    assert world.passwords.computed == computed
    world.at = 2.0
    principal(await world.login("known"))
    assert await world.login("known", Secret("wrong")) is WRONG


@pytest.mark.req("ACC-3")
async def test_an_address_that_tries_many_accounts_is_slowed_down(world: World) -> None:
    """One guess at each of a hundred accounts is guessing as well; other addresses are still heard."""
    await world.rows.tie("known", world.stored, (await world.box("medecin", BoxType.PER), "holder"))
    for number in range(100):
        assert await world.login(f"nobody-{number}") is WRONG
    assert await world.login("known") is WAIT
    principal(await world.accounts.plain("known", RIGHT, "192.0.2.2"))


async def test_a_full_pool_asks_to_come_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporary, and no failure is counted."""

    async def full(stored: str, password: Secret, *, stranger: bool) -> bool:
        raise Busy

    monkeypatch.setattr(world.passwords, "verify", full)
    for _ in range(10):
        assert await world.login("anybody") is BUSY
