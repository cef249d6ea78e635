"""Carries letters to other operators over mutual TLS; the arm behind `ports.relay.Courier` (TRU-5, QUE-2)."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mss_gateway.mail.envelope import Recipient
from mss_gateway.ports.refused import OF_TRUST, OUTBOUND, Refusal, RefusalNotes
from mss_gateway.ports.relay import Letter, Outcome, PeerCheck

from .connection import Connection, ServiceFailed, identified, not_listed, open_connection
from .content import Content, LetterIncomplete
from .flights import Losses
from .options import RelayOptions
from .places import Exchanger, Host
from .pool import Pool
from .problems import RelayProblem, unreachable
from .race import Unreached
from .transaction import Transaction

if TYPE_CHECKING:
    from .resolver import Resolver

_UNREACHED = frozenset({"connect-refused", "connect-timeout", "no-mx", "dns-failure"})
_BAD_SERVICE = frozenset({"lost", "timeout", "peer-temporary", "peer-broke-protocol"})
"""What an address may be to blame for rather than its host: another one of the same host is tried as well."""
_SHUNNED = 1000  # hosts and addresses remembered as unreachable


@dataclass(frozen=True, slots=True)
class _Batch:
    """A letter on its way to some of its recipients; `clock` is the deadline of the letter as a whole."""

    letter: Letter
    content: Content
    recipients: Sequence[Recipient]
    clock: asyncio.Timeout

    @property
    def domain(self) -> str:
        return self.letter.domain.lower()


class RelayCourier:
    """Implements `ports.relay.Courier`.

    Never in the clear, never to a host whose certificate the recipient's domain does not list: there is no option
    to change that.
    """

    def __init__(self, options: RelayOptions, trust: PeerCheck, refused: RefusalNotes | None = None) -> None:
        self._options = options
        self._trust = trust
        self._refused = refused
        self._resolver: Resolver | None = None
        self._pool = Pool(options)
        self._shunned: dict[Host, float] = {}
        self._losses = Losses()

    @property
    def pool(self) -> Pool:
        """The connections kept, for figures and tests."""
        return self._pool

    async def deliver(self, letter: Letter) -> tuple[Outcome, ...]:
        """One attempt; one outcome for each recipient, in their order. Never raises for what a peer does.

        What the store raises while the letter is read goes through, after the connection was cut; but when some of
        the recipients have their outcome already, the others are tried later, so that nobody gets it twice.
        """
        done: list[Outcome] = []
        most = self._options.limits.recipients
        try:
            async with asyncio.timeout(self._options.deadlines.letter) as clock:
                content = await Content.of(letter)
                for start in range(0, len(letter.recipients), most):
                    batch = _Batch(letter, content, letter.recipients[start : start + most], clock)
                    done += await self._carry(batch)
        except RelayProblem as problem:
            failed = problem
        except LetterIncomplete:
            failed = RelayProblem("letter-incomplete", "the stored message cannot be read whole", "4.3.0")
        except TimeoutError:
            failed = RelayProblem("timeout", "the attempt as a whole took too long", "4.4.7")
        except Exception as fault:
            if not done:
                raise
            text = f"the stored message could not be read to its end ({type(fault).__name__})"
            failed = RelayProblem("letter-incomplete", text, "4.3.0")
        else:
            return tuple(done)
        return (*done, *(failed.outcome(one) for one in letter.recipients[len(done) :]))

    async def close(self) -> None:
        """End the connections kept for reuse."""
        self._pool.close()

    async def _carry(self, batch: _Batch) -> tuple[Outcome, ...]:
        """Try the hosts of the domain in order; raises `RelayProblem` when none could be made to answer."""
        problems: list[RelayProblem] = []
        for host in await self._hosts(batch.domain):
            try:
                return await self._at(host, batch)
            except RelayProblem as problem:
                problems.append(problem)
                self._note(host, batch.domain, problem)
                if problem.reason in _UNREACHED:
                    self._shun(host.name, host)
                if not problem.next_host:
                    break
        raise _worst(problems)

    def _note(self, host: Host, domain: str, problem: RelayProblem) -> None:
        """A host refused for a reason of trust is kept for `trust explain`, and its session named (TRU-8)."""
        if self._refused is None or problem.reason not in OF_TRUST:
            return
        shown = problem.shown
        told = Refusal(OUTBOUND, host.name, problem.reason, domain, shown.version, shown.cipher, shown.chain)
        problem.text = f"{problem.text} (session {self._refused.note(told)})"

    async def _asked(self) -> Resolver:
        """Who is asked for hosts and addresses, loaded when there is mail to send: dnspython is 4 MB."""
        if self._resolver is None:
            module = await asyncio.to_thread(importlib.import_module, f"{__package__}.resolver")
            self._resolver = self._resolver or module.Resolver(self._options)
        return self._resolver

    async def _hosts(self, domain: str) -> list[Host]:
        """The hosts to try: by preference, equal ones first where a connection leads to, the unreachable last."""
        found = await (await self._asked()).exchangers(domain)

        def rank(one: Exchanger) -> tuple[bool, int, bool]:
            return self._is_shunned(one.host), one.preference, not self._pool.has_idle(one.host)

        return [one.host for one in sorted(found, key=rank)][: self._options.limits.hosts]

    def _is_shunned(self, place: Host) -> bool:
        until = self._shunned.get(place)
        return until is not None and until > asyncio.get_running_loop().time()

    def _shun(self, name: str, host: Host) -> None:
        """Ask this name or address of a host after the others for a while."""
        place = Host(name, host.port)
        self._shunned.pop(place, None)
        self._shunned[place] = asyncio.get_running_loop().time() + self._options.deadlines.shun
        if len(self._shunned) > _SHUNNED:
            del self._shunned[next(iter(self._shunned))]

    async def _at(self, host: Host, batch: _Batch) -> tuple[Outcome, ...]:
        """One host: over a connection kept, if it still serves, else over a new one; raises `RelayProblem`."""
        await self._pool.enter(host)
        try:
            kept = self._pool.take(host)
            if kept is not None:
                try:
                    return await self._over(kept, batch)
                except RelayProblem:
                    pass  # it was stale, or what it showed is not trusted for this letter: a new one will tell
            return await self._over(await self._open(host), batch)
        finally:
            self._pool.leave(host)

    async def _open(self, host: Host) -> Connection:
        """Connect to the first address that serves; raises `RelayProblem`, which tells of all of them."""
        left = self._unshunned_first(host, await (await self._asked()).addresses(host))
        problems: list[RelayProblem] = []
        while left:
            try:
                connection, behind = await open_connection(host, left, self._options, self._trust)
            except Unreached as unreached:
                problems.append(unreachable(host, unreached.failures))
                break
            except ServiceFailed as failed:
                problems.append(failed.problem)
                if failed.problem.reason not in _BAD_SERVICE or len(left) == 1:
                    break
                self._shun(failed.address, host)
                left = [address for address in left if address != failed.address]
            else:
                for address in behind:
                    self._shun(address, host)
                return connection
        raise _worst(problems)

    def _unshunned_first(self, host: Host, addresses: Sequence[str]) -> list[str]:
        """An address that was no good a moment ago comes last, also if it was another host's."""
        return sorted(addresses, key=lambda address: self._is_shunned(Host(address, host.port)))

    async def _over(self, connection: Connection, batch: _Batch) -> tuple[Outcome, ...]:
        """One letter over one connection, which is kept afterwards only if it is between transactions."""
        whole = False
        try:
            if await self._trust.ask_status(connection.certificate):
                connection.looked = None
            peer = identified(connection, self._trust)
            if not self._trust.lists(batch.domain, peer.dn_key):
                # Listed for another domain it goes on serving that one; a new one that serves nobody is cut.
                whole = connection.messages > 0
                raise not_listed(connection, batch.domain, peer)
            transaction = Transaction(connection, batch.recipients, self._options.deadlines, batch.clock)
            told = await transaction.run(
                batch.letter,
                batch.content,
                use_chunking=self._options.use_chunking,
                whole=connection.host not in self._losses,
            )
            whole = connection.core.idle
            return told
        finally:
            if whole:
                self._pool.give_back(connection)
            else:
                if connection.went_whole:
                    self._losses.note(connection.host)
                connection.abort()


def _worst(problems: list[RelayProblem]) -> RelayProblem:
    """The one to tell: a host that was reached and did not do says more than one that was not."""
    chosen = next((one for one in problems if one.reason not in _UNREACHED), problems[0])
    others = [one.text for one in problems if one is not chosen]
    if not others:
        return chosen
    text = "; ".join([chosen.text, *others])
    return RelayProblem(chosen.reason, text, chosen.status, fate=chosen.fate, host=chosen.host)
