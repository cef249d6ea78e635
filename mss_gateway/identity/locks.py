"""Who must wait before the next try, for all doors and mechanisms together (ACC-3).

Three counts work together, so that guessing is slow while nobody can be locked out for ever from one address:

* an account at one source: a few free tries, then waits. It concerns nobody else.
* an account everywhere: only the free tries of each source add to it, so that one source alone never fills it. It
  stops a guesser with many sources; a source where the account has logged in before is spared.
* a source: many tries, since it may stand for a whole hospital; sources of `exempt` networks are spared, and so is an
  account that has logged in from there and not failed since: a neighbour who guesses must keep no colleague out.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network

from mss_gateway.rules.slowdown import Count, Slowdown, SlowdownOptions

Network = IPv4Network | IPv6Network

FAMILIAR = 50_000
"""Pairs of account and source that have logged in, remembered at most."""

Dumped = dict[str, list[list[str | int | float]]]
"""Records as they are written: key, failures, and when (epoch seconds), by table."""

_BETWEEN = "|"
_TOKEN = "token:"  # what the keys of tokens begin with, and the one of those that name nobody


@dataclass(frozen=True, slots=True)
class LockOptions:
    """`pair` is an account at one source, `account` one account everywhere, `source` one address (IPv6: its /64).

    `familiar` seconds after a login, its source is spared the account's wait.
    """

    pair: SlowdownOptions = field(default_factory=SlowdownOptions)
    account: SlowdownOptions = field(default_factory=lambda: SlowdownOptions(free=50))
    source: SlowdownOptions = field(default_factory=lambda: SlowdownOptions(free=100))
    exempt: tuple[Network, ...] = ()
    familiar: float = 90 * 86400.0


@dataclass(frozen=True, slots=True)
class Locked:
    """One record to show: `kind` is `account`, `everywhere` or `address`."""

    kind: str
    account: str
    source: str
    failures: int
    last: float
    wait: float


class Locks:
    """The counts in memory; times are epoch seconds. `secret` marks logins that nobody has.

    `dirty` says that there is something new to write down.
    """

    def __init__(self, secret: bytes, options: LockOptions | None = None) -> None:
        self.options = options or LockOptions()
        self.dirty = False
        self._marks = hmac.digest(secret, b"login marks", "sha256")
        self._pairs = Slowdown(self.options.pair)
        self._accounts = Slowdown(self.options.account)
        self._sources = Slowdown(self.options.source)
        self._familiar: OrderedDict[str, float] = OrderedDict()
        self._homes: OrderedDict[str, float] = OrderedDict()  # sources where anybody has logged in

    def account(self, person_id: int, login: str) -> str:
        """The key of an account: one for all spellings of a person; a mark of what was typed for nobody's login.

        What was typed may be a password in the wrong field, so it is never kept.
        """
        if person_id:
            return f"person:{person_id}"
        return f"unknown:{self._mark(login)}"

    def tokens(self, login: str) -> str:
        """The key of the tokens that are sent with a login: they never count for the account, only at their source.

        Those that name nobody count for the source alone: one stale token must not keep the neighbours out.
        """
        return _TOKEN + (self._mark(login) if login else "")

    def _mark(self, login: str) -> str:
        return hmac.digest(self._marks, login.lower().encode("utf-8", "replace"), "sha256")[:9].hex()

    def wait(self, account: str, host: str, now: float) -> float:
        """Seconds until a try is heard, 0 when now."""
        source = source_of(host)
        pair = account + _BETWEEN + source
        waits = self._pairs.wait(pair, now)
        spared = self._spared(host)
        if now - self._familiar.get(pair, -self.options.familiar) >= self.options.familiar:
            waits = max(waits, self._accounts.wait(account, now))
        else:
            spared = spared or not self._pairs.failures(pair, now)
        return waits if spared else max(waits, self._sources.wait(source, now))

    def is_stranger(self, host: str, now: float) -> bool:
        """Whether nobody has logged in from there lately: of an address, never of an account, so it tells of nobody."""
        at = self._homes.get(source_of(host))
        return (at is None or now - at >= self.options.familiar) and not self._spared(host)

    def failed(self, account: str, host: str, now: float) -> None:
        """Count one failure; those of tokens (`account` begins with `token:`) never count for the account."""
        source = source_of(host)
        failures = self._pairs.failed(account + _BETWEEN + source, now) if account != _TOKEN else 0
        if failures <= self.options.pair.free and not account.startswith(_TOKEN):
            self._accounts.failed(account, now)
        if not self._spared(host):
            self._sources.failed(source, now)
        self.dirty = True

    def succeeded(self, account: str, host: str, now: float) -> None:
        """A login: this source is familiar, and its earlier failures were typing errors."""
        if account == _TOKEN:
            return
        pair = account + _BETWEEN + source_of(host)
        self.dirty = self._pairs.forget(pair) or now - self._familiar.get(pair, 0.0) > 3600 or self.dirty
        self._know(pair, now)

    def _know(self, pair: str, at: float) -> None:
        for table, key in ((self._familiar, pair), (self._homes, pair.rpartition(_BETWEEN)[2])):
            table.pop(key, None)
            table[key] = at
            while len(table) > FAMILIAR:
                table.popitem(last=False)

    def _spared(self, host: str) -> bool:
        if not self.options.exempt:
            return False
        try:
            address = ip_address(host)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self.options.exempt)

    def listed(self, now: float) -> Iterator[Locked]:
        """What is counted now, with the waits that are left."""
        for key, count in self._pairs.counts(now):
            account, _, source = key.partition(_BETWEEN)
            yield Locked("account", account, source, count.failures, count.last, self._pairs.wait(key, now))
        for key, count in self._accounts.counts(now):
            wait = self._accounts.wait(key, now)
            yield Locked("everywhere", key, "", count.failures, count.last, wait)
        for key, count in self._sources.counts(now):
            yield Locked("address", "", key, count.failures, count.last, self._sources.wait(key, now))

    def unlock_account(self, account: str) -> int:
        """Forget all failures of an account; return how many records there were."""
        pairs = [key for key, _ in self._pairs.counts(0.0) if key.startswith(account + _BETWEEN)]
        self.dirty = True
        return sum(map(self._pairs.forget, pairs)) + self._accounts.forget(account)

    def unlock_source(self, host: str) -> int:
        """Forget all failures of an address; return how many records there were."""
        source = source_of(host)
        pairs = [key for key, _ in self._pairs.counts(0.0) if key.endswith(_BETWEEN + source)]
        self.dirty = True
        return sum(map(self._pairs.forget, pairs)) + self._sources.forget(source)

    def dump(self, now: float) -> Dumped:
        """All records, for a file."""
        return self.snapshot(now)()

    def snapshot(self, now: float) -> Callable[[], Dumped]:
        """All records of this moment; the call that puts them together takes 50 ms when there are many."""
        tables = (("pairs", self._pairs), ("accounts", self._accounts), ("sources", self._sources))
        taken = [(name, table.options.forget, table.snapshot()) for name, table in tables]
        familiar = list(self._familiar.items())

        def put_together() -> Dumped:
            dumped: Dumped = {
                name: [[key, one.failures, one.last] for key, one in rows if now - one.last <= forget]
                for name, forget, rows in taken
            }
            dumped["familiar"] = [[key, 0, at] for key, at in familiar]
            return dumped

        return put_together

    def load(self, dumped: object) -> None:
        """Take records from a file; what is not one is left out."""
        if not isinstance(dumped, dict):
            return
        tables = {"pairs": self._pairs, "accounts": self._accounts, "sources": self._sources}
        for name, table in tables.items():
            for key, failures, last in _rows(dumped.get(name)):
                table.restore(key, Count(failures, last))
        for key, _, at in _rows(dumped.get("familiar")):
            self._know(key, at)


def _rows(rows: object) -> Iterator[tuple[str, int, float]]:
    for row in rows if isinstance(rows, list) else ():
        match row:
            case [str(key), int(failures), int(last) | float(last)] if len(key) <= 200:
                yield key, failures, float(last)


def source_of(host: str) -> str:
    """The source that an address stands for: an IPv4 address itself, of IPv6 its /64, which one customer has."""
    try:
        address = ip_address(host)
    except ValueError:
        return host[:64]
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((int(address), 64), strict=False))


def is_address(text: str) -> bool:
    """Is it an IP address, rather than a login?"""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
