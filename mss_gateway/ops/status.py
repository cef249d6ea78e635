"""`status`: how the gateway is, in counts and domains, for the status page and the terminal (OPS-4).

Nothing in it is of a patient or of a message: no address, no subject, no INS, masked or not.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mss_gateway import __version__
from mss_gateway.observe.figures import Figures
from mss_gateway.observe.pulse import Pulse
from mss_gateway.ports.queue import DomainQueue
from mss_gateway.rules.ins import mask_text

from .health_store import OUT, SHORT
from .http_ready import Kept, Readiness
from .operation import Arguments, Operation, Result
from .status_checks import check_name
from .status_words import CHANNELS, KINDS, own_words, span, words

DOMAINS = 15
"""Destinations that are told one by one, those in trouble and the oldest first."""

REFUSALS = 12
"""Reasons of refusals that are told, the latest first."""

FRESH = 2.0
"""Seconds that the facts are kept; whoever looks more often sees the same."""

EXAMINED = 300.0
"""Seconds that the doctor's checks are kept: one of them writes to the disk."""

PATIENCE = 2.0
"""Seconds that a page waits for the doctor."""

WARN_DAYS = 30
_LOCAL_PART = re.compile(r"[^\s<>@:,;()]+@")
_SLUG = re.compile(r"[a-z0-9-]{1,60}")
_CN = re.compile(r"(?:^|,)CN=((?:\\.|[^,\\])+)")
_ORDER = {"bad": 0, "doubt": 1, "good": 2}


class Rows(Protocol):
    """What is asked of the store."""

    async def queue_by_domain(self) -> list[DomainQueue]:
        """What waits for each domain."""

    async def channel_states(self) -> dict[str, int]:
        """Channels by state."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the facts come from. `silent` gives reason and end of the rest of each domain that is left alone."""

    hostname: str
    rows: Rows
    silent: Callable[[], Mapping[str, tuple[str, float]]]
    trust: Callable[[], Result]
    doctor: Operation
    readiness: Readiness
    figures: Figures
    pulse: Pulse
    folder: Path
    late: float


class StatusOperations:
    """`status`."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._kept: Kept[Result] = Kept(self._look, FRESH)
        self._checks: Kept[tuple[float, Result]] = Kept(self._examine, EXAMINED)

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"status": self.status}

    async def status(self, arguments: Arguments) -> Result:
        """The facts of this moment."""
        return await self._kept.get()

    async def _examine(self) -> tuple[float, Result]:
        return time.time(), await self._sources.doctor({"quick": True})

    async def _examined(self) -> tuple[float, list[dict[str, str]]]:
        """The doctor's checks, where they are there in time; a slow one must not hold the page up."""
        try:
            async with asyncio.timeout(PATIENCE):
                at, examined = await self._checks.get()
        except TimeoutError:
            return time.time(), []
        checks = [{name: _nameless(text) for name, text in one.items()} for one in examined["checks"]]
        return at, [{**one, "title": check_name(one["name"])} for one in checks]

    async def _look(self) -> Result:
        sources, now = self._sources, time.time()
        reasons = await sources.readiness.reasons()
        domains = await sources.rows.queue_by_domain()
        trust = await asyncio.to_thread(sources.trust)
        examined_at, checks = await self._examined()
        facts: Result = {
            "at": now,
            "version": __version__,
            "hostname": sources.hostname,
            "started_at": sources.pulse.started_at,
            "uptime_seconds": max(0.0, now - sources.pulse.started_at),
            "reasons": [_told(own_words(one), {"reason": one}) for one in reasons],
            "queue": _queue(domains, sources.silent(), sources.late, now),
            "trust": _trust(trust, now),
            "certificates": [_certificate(one, now) for one in trust["own"]],
            "crls": [_crl(one, now) for one in trust["crls"]],
            "rates": sources.pulse.rates(),
            "channels": [
                {"state": state, "name": CHANNELS.get(state, state), "count": count}
                for state, count in (await sources.rows.channel_states()).items()
            ],
            "refusals": _refusals(sources.figures),
            "checks": checks,
            "checked_at": examined_at,
            "disk": await asyncio.to_thread(_disk, sources.folder),
            "loop_lag_seconds": sources.pulse.lag,
        }
        todo = sorted(_todo(facts), key=lambda one: _ORDER[one["verdict"]])
        verdicts = {one["verdict"] for one in todo}
        state = "bad" if "bad" in verdicts else "doubt" if "doubt" in verdicts else "good"
        return {**facts, "state": state, "ready": not reasons, "todo": todo}


def _told(said: tuple[str, str], more: Result) -> Result:
    return {**more, "meaning": said[0], "remedy": said[1]}


def _nameless(text: str) -> str:
    """Evidence without the names before an @: a peer's answer may repeat an address."""
    return _LOCAL_PART.sub("…@", mask_text(text))


def _slug(text: str) -> str:
    """The slug before what a peer has said, which may name people."""
    found = _SLUG.match(text.partition(":")[0])
    return found.group() if found else ""


def _queue(
    domains: list[DomainQueue], silent: Mapping[str, tuple[str, float]], late: float, now: float
) -> Result:
    rows = []
    for one in domains:
        reason, until = silent.get(one.domain, (_slug(one.last_error), 0.0))
        is_late = one.rows > one.held and now - one.oldest_at > late
        record: Result = {
            "domain": one.domain,
            "rows": one.rows,
            "held": one.held,
            "oldest_seconds": max(0.0, now - one.oldest_at),
            "reason": _slug(reason),
            "silent_until": until or None,
            "verdict": "bad" if is_late else "doubt" if until or one.held else "good",
        }
        rows.append(_told(words(record["reason"]) if reason else ("", ""), record))
    rows.sort(key=lambda one: (_ORDER[one["verdict"]], -one["oldest_seconds"]))
    moving = [now - one.oldest_at for one in domains if one.rows > one.held]
    return {
        "rows": sum(one.rows for one in domains),
        "held": sum(one.held for one in domains),
        "domains": len(domains),
        "oldest_seconds": max(0.0, *moving) if moving else 0.0,
        "destinations": rows[:DOMAINS],
        "more": max(0, len(rows) - DOMAINS),
    }


def _trust(status: Result, now: float) -> Result:
    listed = status["list"]
    return {
        "age_seconds": listed["age_hours"] * 3600,
        "domains": listed["domains"],
        "held": listed["held"] is not None,
        "alarms": [one["reason"] for one in status["alarms"]],
        "failures": sum(1 for one in status["fetches"] if one["failures"]),
        "verdict": "doubt" if status["alarms"] else "good",
    }


def _certificate(one: dict[str, Any], now: float) -> Result:
    until = one["valid_until"]
    days = (until - now) / 86_400 if until is not None else None
    verdict = "bad" if days is None or days < 7 else "doubt" if days < WARN_DAYS else "good"
    return {
        "file": Path(one["source"]).name,
        "name": _common_name(one["subject"]),
        "subject": one["subject"],
        "valid_until": until,
        "days": days,
        "verdict": verdict,
    }


def _crl(one: dict[str, Any], now: float) -> Result:
    left = one["next_update"] - now
    verdict = "bad" if left < 0 else "good"
    return {
        "name": _common_name(one["issuer"]),
        "issuer": one["issuer"],
        "next_update": one["next_update"],
        "left_seconds": left,
        "verdict": verdict,
    }


def _common_name(dn: str) -> str:
    """The CN of a DN's text, or the whole of it."""
    found = _CN.search(dn)
    return found.group(1) if found else dn


def _refusals(figures: Figures) -> list[Result]:
    latest = sorted(figures.refusals.items(), key=lambda one: -one[1].last_at)[:REFUSALS]
    found = []
    for (kind, slug), seen in latest:
        reason = _slug(slug)
        record: Result = {
            "kind": kind,
            "name": KINDS[kind],
            "reason": reason,
            "count": seen.count,
            "last_at": seen.last_at,
        }
        found.append(_told(words(reason), record))
    return found


def _disk(folder: Path) -> Result:
    room = shutil.disk_usage(folder)
    verdict = "bad" if room.free < OUT else "doubt" if room.free < room.total * SHORT else "good"
    return {"free": room.free, "total": room.total, "verdict": verdict}


def _todo(facts: Result) -> list[Result]:
    """What to do now, in sentences; nothing when all is well."""
    todo = [_step("bad", one["meaning"] or one["reason"], one["remedy"]) for one in facts["reasons"]]
    seen = {one["reason"] for one in facts["reasons"]}
    for one in facts["queue"]["destinations"]:
        if one["verdict"] == "bad":
            title = f"{one['rows']} en attente pour {one['domain']} depuis {span(one['oldest_seconds'])}"
            todo.append(_step("bad", title, one["remedy"] or "`mss-gateway queue list` en dit plus."))
    if facts["queue"]["held"]:
        remedy = "`mss-gateway queue list --state held`, puis `queue release`."
        todo.append(
            _step(
                "doubt",
                f"{_several(facts['queue']['held'], 'envoi retenu', 'envois retenus')} à la main",
                remedy,
            )
        )
    if facts["trust"]["held"]:
        remedy = "`mss-gateway trust diff` montre ce qui change, puis `trust apply`."
        todo.append(_step("doubt", "une liste blanche attend votre accord", remedy))
    for one in facts["certificates"]:
        if one["verdict"] != "good" and not seen & {"certificate-expired", "certificate-not-yet-valid"}:
            left = "illisible" if one["days"] is None else f"expire dans {span(one['days'] * 86_400)}"
            remedy = "Demandez le suivant et posez-le à sa place."
            todo.append(_step(one["verdict"], f"notre certificat {one['file']} : {left}", remedy))
    if any(one["verdict"] == "bad" for one in facts["crls"]) and "crl-stale" not in seen:
        todo.append(_step("bad", "une CRL est périmée", words("crl-stale")[1]))
    if facts["disk"]["verdict"] != "good" and "disk-full" not in seen:
        todo.append(_step(facts["disk"]["verdict"], "le disque se remplit", words("disk-full")[1]))
    if facts["trust"]["alarms"] and not todo:
        todo.append(
            _step("doubt", "l'espace de confiance a une alarme", "`mss-gateway trust status` la montre.")
        )
    if not todo:
        failed = dict.fromkeys(one["title"] for one in facts["checks"] if one["verdict"] == "bad")
        todo += [
            _step("doubt", f"contrôle en échec : {title}", "`mss-gateway doctor` le refait et dit que faire.")
            for title in failed
        ]
    return todo


def _several(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def _step(verdict: str, title: str, remedy: str) -> Result:
    return {"verdict": verdict, "title": title, "remedy": remedy}
