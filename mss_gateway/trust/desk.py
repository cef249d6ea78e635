"""The trust space as operators ask about it, every answer as plain JSON values (TRU-3, TRU-8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, is_dataclass, replace
from datetime import UTC, datetime
from typing import Any

from mss_gateway.mail.address import parse_domain
from mss_gateway.ports.refused import INBOUND, RefusedSession, RefusedSessions

from . import dn
from .explain import BOTH, explain
from .explain_host import judge, look
from .explain_names import attributes_of, listed_text, plain
from .explain_steps import remedy
from .guard import Trust
from .judgement import Role
from .lastgood import ListDiff
from .listing import TrustedList
from .probe import Place, ProbeOptions, Sight
from .refusals import SENTENCES, ListRefused

Answer = dict[str, Any]
"""JSON values by name."""

_ROLES = {"client": (Role.CLIENT,), "server": (Role.SERVER,), "": BOTH}


class TrustDesk:
    """Answers questions on one `Trust` and its book of refused sessions. What is marked blocking wants a thread."""

    def __init__(self, trust: Trust, refused: RefusedSessions, hostname: str) -> None:
        self._trust = trust
        self._refused = refused
        self._hostname = hostname

    # --- the list

    def status(self) -> Answer:
        """All that is in force and what is wrong with it. Blocking."""
        status = self._trust.status()
        held = status.list.held  # with its two lists, which nobody wants copied
        found: Answer = _json(replace(status, list=replace(status.list, held=None)))
        found["list"]["held"] = _counts(held) if held else None
        return found

    def diff(self, data: bytes | None, limit: int) -> Answer:
        """What a list would change, or without one what the held list would, else what the last one has. Blocking.

        Raises `ListRefused`.
        """
        if data is not None:
            return self._diff("file", self._trust.preview_list(data), limit)
        held = self._trust.held_list()
        if held is not None:
            return self._diff("held", held, limit)
        before = self._trust.previous_diff()
        if before is None:
            raise ListRefused(
                "list-no-previous", "there is nothing to compare with: no list waits and none went before"
            )
        return self._diff("previous", before, limit)

    def apply(self, data: bytes | None, *, removals: bool) -> Answer:
        """Put a list in force, or without one the held list; raises `ListRefused`. Blocking.

        With `removals` somebody has seen how many domains the list drops, and it need not wait.
        """
        if data is None:
            return self._list(self._trust.confirm_list())
        try:
            return self._list(self._trust.apply_list(data))
        except ListRefused as refused:
            if refused.reason != "list-mass-removal" or not removals:
                raise
            return self._list(self._trust.confirm_list())

    def rollback(self) -> Answer:
        """Go back to the list before; raises `ListRefused`. Blocking."""
        return self._list(self._trust.rollback_list())

    def show(self, domain: str) -> Answer | None:
        """What the list says of a domain, None when it does not know it; raises `InvalidValue`."""
        listed, name = self._trust.trusted_list, parse_domain(domain)
        keys = listed.domains.get(name)
        if keys is None:
            return None
        dns = [
            {
                "dn": listed_text(key, listed.names),
                "normalised": key,
                "operator": _operator(key, listed),
                "domains": len(listed.domains_of(key)),
            }
            for key in sorted(keys)
        ]
        return {"domain": name, "dns": dns, "list_generated_at": listed.generated_at.timestamp()}

    # --- peers

    async def ask(self, chain: Sequence[bytes]) -> None:
        """Have the issuer's responder asked about a peer's certificate, where that is switched on."""
        await self._trust.ask_status(chain[0])

    def explain_certificates(self, chain: Sequence[bytes], role: str, domain: str | None) -> Answer:
        """Judge certificates in DER, the peer's own first; raises `InvalidValue`."""
        return explain(self._trust, chain, roles=_ROLES[role], domain=domain).record()

    def look(self, host: str, address: str, port: int, *, tls: bool) -> Sight:
        """Look at a live server; raises `TrustProblem`. Blocking, up to 40 seconds."""
        return look(self._trust, Place(host, address, port), ProbeOptions(self._hostname, tls))

    def judge(self, host: str, address: str, port: int, sight: Sight, domain: str | None) -> Answer:
        """What follows from a look; raises `InvalidValue`."""
        found = judge(self._trust, Place(host, address, port), sight, domain)
        return {"host": host, "address": address, "port": port, **found.record()}

    def sessions(self, limit: int) -> list[Answer]:
        """The last refused sessions, the latest first."""
        return [_session(one) for one in self._refused.latest(limit)]

    def session_chain(self, session: str) -> Sequence[bytes]:
        """The certificates of a refused session in DER; none when they, or it, are not known."""
        found = self._refused.find(session)
        return found.refusal.chain if found is not None else ()

    def explain_session(self, session: str, domain: str | None) -> Answer | None:
        """A refused session: what was noted then, and how its certificate is judged now; None when it is not known."""
        found = self._refused.find(session)
        if found is None:
            return None
        refusal = found.refusal
        told: Answer = {"session": _session(found), "accepted": None, "steps": [], "meetings": []}
        if refusal.chain:
            role = Role.CLIENT if refusal.direction == INBOUND else Role.SERVER
            wanted = domain or refusal.domain or None
            told |= explain(
                self._trust, refusal.chain, roles=(role,), domain=wanted, peer=refusal.peer
            ).record()
        return told

    # --- inside

    def _list(self, listed: TrustedList) -> Answer:
        return {
            "generated_at": listed.generated_at.timestamp(),
            "digest": listed.digest,
            "domains": len(listed.domains),
            "entries": listed.entries,
            "unreadable": listed.unreadable,
        }

    def _diff(self, against: str, change: ListDiff, limit: int) -> Answer:
        names = {name: getattr(change, name) for name in ("added", "removed", "changed")}
        return {
            "against": against,
            **_counts(change),
            **{name: [self._domain(change, one) for one in found[:limit]] for name, found in names.items()},
            "cut": any(len(found) > limit for found in names.values()),
        }

    def _domain(self, change: ListDiff, name: str) -> Answer:
        """A domain with the DNs that it gains and loses."""
        old, new = change.old, change.new
        before, after = old.domains.get(name, frozenset()), new.domains.get(name, frozenset())
        return {
            "domain": name,
            "dns_added": [listed_text(key, new.names) for key in sorted(after - before)],
            "dns_removed": [listed_text(key, old.names) for key in sorted(before - after)],
        }


def _counts(change: ListDiff) -> Answer:
    return {
        "domains_before": change.before,
        "domains_after": change.after,
        "count": {
            "added": len(change.added),
            "removed": len(change.removed),
            "changed": len(change.changed),
        },
        "removed_share": round(change.removed_share, 4),
    }


def _operator(key: str, listed: TrustedList) -> str:
    """Who is behind a DN: its O."""
    for kind, value in attributes_of(key, listed.names):
        if dn.key_of([(kind, "x")]) == "o=x":
            return plain(value)
    return ""


def _session(one: RefusedSession) -> Answer:
    refusal = one.refusal
    return {
        "id": one.id,
        "at": one.at,
        "last_at": one.last_at,
        "count": one.count,
        "direction": refusal.direction,
        "peer": refusal.peer,
        "domain": refusal.domain,
        "reason": refusal.reason,
        "helo": refusal.helo,
        "tls_version": refusal.tls_version,
        "tls_cipher": refusal.tls_cipher,
        "certificates": len(refusal.chain),
        "remedy": remedy(refusal.reason) if refusal.reason in SENTENCES else "",
    }


def _json(value: Any) -> Any:
    """A record of the trust space as JSON: moments as epoch seconds."""
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _json(item) for name, item in asdict(value).items()}
    if isinstance(value, dict):
        return {str(name): _json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).timestamp()
    return value
