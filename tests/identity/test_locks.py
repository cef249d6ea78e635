"""Who waits, when accounts, addresses and both together are counted (ACC-3)."""

import json
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mss_gateway.identity.lockdesk import Desk, LockFile
from mss_gateway.identity.locks import LockOptions, Locks, source_of
from mss_gateway.rules.slowdown import SlowdownOptions
from tests.support.directory import MemoryDirectory

SECRET = b"\x07" * 32
PAIR = SlowdownOptions(free=3, records=500)
ACCOUNT = SlowdownOptions(free=9, records=500)
SOURCE = SlowdownOptions(free=20, records=500)
OPTIONS = LockOptions(PAIR, ACCOUNT, SOURCE, (ip_network("198.51.100.0/24"),))
pytestmark = pytest.mark.req("ACC-3")


def locks() -> Locks:
    """Nothing counted yet."""
    return Locks(SECRET, OPTIONS)


def fail(one: Locks, account: str, host: str, times: int, at: float = 0.0) -> None:
    """Failures at one moment."""
    for _ in range(times):
        one.failed(account, host, at)


def test_one_address_never_locks_an_account_elsewhere() -> None:
    """However long somebody guesses from one address, at whatever pace, others are heard at once."""
    one = locks()
    at = 0.0
    for _ in range(2000):
        at += one.wait("person:1", "192.0.2.66", at)
        one.failed("person:1", "192.0.2.66", at)
    assert one.wait("person:1", "192.0.2.66", at) > 0
    assert one.wait("person:1", "192.0.2.1", at) == 0


def test_many_addresses_lock_an_account_but_not_where_its_owner_is_known() -> None:
    """A guesser with many addresses waits; who has logged in from here before does not."""
    one = locks()
    one.succeeded("person:1", "192.0.2.1", 0.0)
    for number in range(3):
        fail(one, "person:1", f"203.0.113.{number}", 3)
    assert one.wait("person:1", "203.0.113.99", 0.0) > 0
    assert one.wait("person:1", "192.0.2.1", 0.0) == 0
    later = OPTIONS.familiar + 1
    for number in range(3):
        fail(one, "person:1", f"203.0.113.{number}", 3, later)
    assert one.wait("person:1", "192.0.2.1", later) > 0


def test_an_address_that_tries_many_accounts_waits_unless_it_is_exempt() -> None:
    """A hospital behind one proxy is named in the settings; its accounts are still counted one by one."""
    one = locks()
    for host in ("192.0.2.1", "198.51.100.7", "::ffff:198.51.100.8"):
        for number in range(20):
            one.failed(f"person:{number}", host, 0.0)
    assert one.wait("person:99", "192.0.2.1", 0.0) > 0
    assert one.wait("person:99", "198.51.100.7", 0.0) == 0
    assert one.wait("person:99", "::ffff:198.51.100.8", 0.0) == 0
    fail(one, "person:5", "198.51.100.7", 3)
    assert one.wait("person:5", "198.51.100.7", 0.0) > 0


def test_tokens_count_for_their_source_only() -> None:
    """Nobody locks a person's password by sending bad tokens in their name."""
    one = locks()
    account = one.tokens("holder@exemple.mssante.fr")
    for number in range(10):
        fail(one, account, f"203.0.113.{number}", 3)
    assert one.wait(account, "203.0.113.1", 0.0) > 0
    assert one.wait(account, "192.0.2.1", 0.0) == 0


def test_a_customer_of_ipv6_is_one_source() -> None:
    """A /64 belongs to one; addresses in it are free."""
    assert source_of("2001:db8::1") == source_of("2001:db8:0:0:ffff::1") == "2001:db8::/64"
    assert source_of("2001:db8:0:1::1") != source_of("2001:db8::1")
    assert source_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert len(source_of("x" * 1000)) == 64


def test_what_was_typed_is_never_kept(tmp_path: Path) -> None:
    """A password in the login field must not be in the file; the same text has the same mark."""
    one = locks()
    typed = "motdepasse-tapé-au-mauvais-endroit"
    assert one.account(0, typed) == one.account(0, typed.upper())
    assert one.account(0, typed) != Locks(b"x" * 32).account(0, typed)
    fail(one, one.account(0, typed), "192.0.2.1", 5)
    fail(one, one.tokens(typed), "192.0.2.1", 5)
    file = LockFile(tmp_path / "logins.json", one, lambda: 0.0)
    file.save()
    written = (tmp_path / "logins.json").read_text()
    assert "192.0.2.1" in written
    assert "motdepasse" not in written


def test_counts_survive_a_restart(tmp_path: Path) -> None:
    """Written when something is new, whole or not at all, for nobody else to read."""
    first = locks()
    fail(first, "person:1", "192.0.2.1", 5)
    first.succeeded("person:2", "192.0.2.2", 0.0)
    path = tmp_path / "logins.json"
    LockFile(path, first, lambda: 1.0).save()
    assert path.stat().st_mode & 0o777 == 0o600
    second = locks()
    LockFile(path, second).load()
    assert second.wait("person:1", "192.0.2.1", 1.0) == first.wait("person:1", "192.0.2.1", 1.0) > 0
    assert second.dump(1.0) == first.dump(1.0)
    path.unlink()
    LockFile(path, first).save()
    assert not path.exists()


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"{",
        b"[]",
        b'{"pairs": 3}',
        b'{"pairs": [[1, 2, 3], ["a", "b", 1], null, ["k"], ["' + b"x" * 300 + b'", 1, 1]]}',
        b"\xff" * 9,
        b"[" * 100_000,
    ],
)
def test_a_file_that_is_not_ours_is_left_out(tmp_path: Path, octets: bytes) -> None:
    """A torn file forgives; it stops no gateway."""
    (tmp_path / "logins.json").write_bytes(octets)
    one = locks()
    LockFile(tmp_path / "logins.json", one).load()
    assert all(not rows for rows in one.dump(0.0).values())


@given(st.recursive(st.none() | st.integers() | st.text(max_size=3), lambda s: st.lists(s, max_size=4)))
def test_loading_never_raises(value: object) -> None:
    """Whatever stands in the file."""
    one = locks()
    one.load({"pairs": value, "familiar": value})
    json.dumps(one.dump(0.0))


async def test_ops_see_and_lift(tmp_path: Path) -> None:
    """Persons by their login; somebody else's typing without a name; an address lifts its accounts too."""
    rows = MemoryDirectory()
    person = await rows.tie("holder", "")
    one = locks()
    file = LockFile(tmp_path / "logins.json", one, lambda: 0.0)
    desk = Desk(rows, file, lambda: 0.0)
    fail(one, one.account(person.id, "holder"), "192.0.2.1", 6)
    fail(one, one.account(0, "nobody"), "192.0.2.2", 2)
    shown = await desk.locked()
    assert (shown[0].kind, shown[0].login, shown[0].source, shown[0].failures) == (
        "account",
        "holder",
        "192.0.2.1",
        6,
    )
    assert shown[0].wait == 8.0
    assert {(row.login, row.source) for row in shown if row.kind == "account"} == {
        ("holder", "192.0.2.1"),
        ("", "192.0.2.2"),
    }
    assert await desk.unlock("HOLDER") == 2
    assert one.wait("person:1", "192.0.2.1", 0.0) == 0
    assert await desk.unlock("holder") == 0
    assert await desk.unlock("nobody") == 2
    assert await desk.unlock("192.0.2.2") == 1
    assert "person:1" not in (tmp_path / "logins.json").read_text()


def test_a_stranger_is_an_address_without_a_login_whoever_asks() -> None:
    """Known by address alone, over a restart, for as long as a source is familiar: it tells nothing of an account."""
    one = locks()
    assert one.is_stranger("192.0.2.1", 0.0)
    one.succeeded("person:1", "192.0.2.1", 0.0)
    one.failed("person:1", "192.0.2.2", 0.0)
    assert not one.is_stranger("192.0.2.1", OPTIONS.familiar - 1)
    assert one.is_stranger("192.0.2.1", OPTIONS.familiar)
    assert one.is_stranger("192.0.2.2", 0.0)
    assert not one.is_stranger("198.51.100.7", 0.0)
    other = locks()
    other.load(json.loads(json.dumps(one.dump(0.0))))
    assert not other.is_stranger("192.0.2.1", 1.0)
