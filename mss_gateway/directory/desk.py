"""What operators and people ask of the national directory: search, one address, state, the copy before (OPS-1)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from .annuaire import Annuaire
from .copies import Attempt, Copies
from .entry import Record, Wanted
from .fhir import FhirClient
from .importing import Meta, meta_of
from .options import DirectoryOptions
from .problems import DirectoryProblem
from .words import words

Answer = dict[str, Any]
"""JSON values by name."""

DAY = 86400.0
"""Seconds."""


class AnnuaireDesk:
    """Answers from the copy in force, and from the national API when it is asked for; raises `DirectoryProblem`."""

    def __init__(
        self, options: DirectoryOptions, annuaire: Annuaire, clock: Callable[[], float] = time.time
    ) -> None:
        self._options = options
        self._annuaire = annuaire
        self._copies = Copies(options.state)
        self._clock = clock
        self._fhir = FhirClient(options.fhir) if options.fhir is not None else None

    async def search(self, question: Answer, *, online: bool) -> Answer:
        """Rows that fit; online the words are looked for in addresses, and no filter but the type counts."""
        wanted = Wanted(**question)
        if online:
            found = await self._search_online(wanted)
            return {"rows": found[: wanted.limit], "more": len(found) > wanted.limit, "source": "online"}
        result = await self._annuaire.search(wanted)
        meta = self._annuaire.meta
        return {
            "rows": result.rows,
            "more": result.more,
            "source": meta.source if meta else "",
            "generated_at": meta.generated_at if meta else 0.0,
        }

    async def show(self, address: str, *, online: bool) -> Answer | None:
        """Every row of an address, None when it is not known; online it is asked for and remembered first."""
        if online:
            found = await self._online().of_address(address)
            await self._annuaire.see(found, self._clock())
            if found:
                return {"address": address, "rows": [one | {"source": "online"} for one in found]}
        rows = await self._annuaire.rows(address)
        return {"address": address, "rows": rows} if rows else None

    async def published(self, domains: Sequence[str]) -> list[tuple[str, str]]:
        """Key and type of every row of these domains."""
        return await self._annuaire.of_domains(domains)

    async def status(self) -> Answer:
        """The copy in force, the one before, what was tried last, what comes next, and the alarms."""
        meta = await self._annuaire.open()
        previous, attempt = await asyncio.to_thread(
            lambda: (meta_of(self._copies.previous), self._copies.attempt())
        )
        options, now = self._options, self._clock()
        last = asdict(attempt)
        return {
            "loaded": meta is not None,
            "copy": asdict(meta) | {"age_hours": _age(meta, now)} if meta else None,
            "previous": asdict(previous) if previous else None,
            "last": {
                name: last[name]
                for name in ("tried_at", "done_at", "source", "reason", "sentence", "failures")
            },
            "next_at": attempt.due_at if options.url else 0.0,
            "file": str(options.file or ""),
            "url": options.url,
            "fhir_url": options.fhir.url if options.fhir else "",
            "alarms": list(self._alarms(meta, attempt, now)),
        }

    async def rollback(self) -> Answer:
        """Change the copy in force with the one before."""
        await asyncio.to_thread(self._go_back)
        return await self.refresh()

    async def refresh(self) -> Answer:
        """Take up what is in force now."""
        meta = await self._annuaire.open()
        return {"copy": asdict(meta) if meta else None}

    def _go_back(self) -> None:
        with self._copies.importing():
            self._copies.go_back()

    def _alarms(self, meta: Meta | None, attempt: Attempt, now: float) -> list[Answer]:
        found = []
        options = self._options
        if attempt.failures:
            found.append({"reason": attempt.reason, "sentence": attempt.sentence})
        if meta is None and (options.file is not None or options.url) and not attempt.failures:
            missing = (
                "no copy of the national directory is here yet: wait for the first import, or do one by hand"
            )
            found.append({"reason": "directory-absent", "sentence": missing})
        if meta is not None and now - meta.generated_at > options.alarm_days * DAY:
            days = (now - meta.generated_at) / DAY
            old = f"the national directory in force is {days:.0f} days old: import a newer extraction"
            found.append({"reason": "directory-old", "sentence": old})
        return found

    def _online(self) -> FhirClient:
        if self._fhir is None:
            sentence = (
                "the national API is not set up here: directory.fhir_url and directory.fhir_key_file name it"
            )
            raise DirectoryProblem("fhir-absent", sentence)
        return self._fhir

    async def _search_online(self, wanted: Wanted) -> list[Record]:
        terms = words(wanted.words)
        part = wanted.words.strip() if "@" in wanted.words else max(terms, key=len, default="")
        if len(part) < 3:
            raise DirectoryProblem("directory-question", "online, a word of three letters or more is needed")
        found = await self._online().search(part, 1000)
        fitting = [one for one in found if _fits(one, terms, wanted.type)]
        if fitting:
            await self._annuaire.see(fitting, self._clock())
        return fitting


def _fits(record: Record, terms: list[str], kind: str) -> bool:
    text = " ".join(words(" ".join(record.values())))
    return (not kind or record.get("type", "").lower() == kind.lower()) and all(
        term in text for term in terms
    )


def _age(meta: Meta, now: float) -> float:
    return max(0.0, now - meta.generated_at) / 3600.0
