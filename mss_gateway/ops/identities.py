"""The registry of patient identities: import, show, check, list (INS-4, INS-5)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime

from mss_gateway.base.errors import InvalidValue
from mss_gateway.ports.records import Identity
from mss_gateway.ports.store import Identities
from mss_gateway.rules.facts import House, IdentityStatus, Realm
from mss_gateway.rules.identities import (
    TRAITS,
    Born,
    Traits,
    check_identity,
    compare_traits,
    parse_born,
    parse_department,
    parse_sex,
    parse_status,
    screen,
)
from mss_gateway.rules.ins import Ins, describe, mask_text, parse_ins

from .imports import numbered, refused_line, understood
from .operation import Arguments, Operation, Result, flag, text
from .tracing import traced

LIST_LIMIT = 1000  # identities in one answer
BREATH = 50  # rows, about a millisecond: the mail that passes meanwhile does not wait for a batch


class IdentityOperations:
    """`ins …`; `clock` gives epoch seconds."""

    def __init__(self, identities: Identities, house: House, clock: Callable[[], float] = time.time) -> None:
        self._identities = identities
        self._house = house
        self._clock = clock

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "ins.import": self.import_,
            "ins.show": self.show,
            "ins.check": self.check,
            "ins.list": self.list,
        }

    async def import_(self, arguments: Arguments) -> Result:
        """Take a batch of rows, each a record of texts with its `line`; the good ones are kept (INS-5).

        Answers how many were `imported` and `unchanged`, and `refused` and `warned` with line, reason and sentence.
        A later row about the same INS wins. With `dry_run` nothing is written.
        """
        source = mask_text(text(arguments, "source", ""))
        good: dict[str, Identity] = {}
        refused: list[Result] = []
        warned: list[Result] = []
        valid = 0
        for count, (number, row) in enumerate(numbered(arguments), 1):
            if count % BREATH == 0:
                await asyncio.sleep(0)
            try:
                traits = check_identity(row, self._house.realm, self._today())
            except InvalidValue as invalid:
                refused.append(refused_line(number, invalid.public, invalid.reason))
                continue
            if not traits.ins.key_holds:
                warned.append(refused_line(number, "the key (last 2 digits) of the INS is wrong", "ins-key"))
            good[str(traits.ins)] = _identity(traits, source)
            valid += 1
        rows = list(good.values())
        if flag(arguments, "dry_run"):
            known = await asyncio.gather(*(self._identities.identity(row.ins) for row in rows))
            changed = sum(not _same(before, row) for before, row in zip(known, rows, strict=True))
        elif rows:
            trace = traced("ins-import", arguments, None, source=source, rows=str(len(rows)))
            changed = await self._identities.put_identities(rows, trace)
        else:
            changed = 0
        return {"imported": changed, "unchanged": valid - changed, "refused": refused, "warned": warned}

    async def show(self, arguments: Arguments) -> Result:
        """Read an INS as its sender must, with what the registry knows of it (INS-4)."""
        ins = read_ins(arguments)
        known = await self._identities.identity(str(ins))
        return {**reading(ins, self._today()), "identity": _shown(known)}

    async def check(self, arguments: Arguments) -> Result:
        """Do sex, date and département of birth agree with the INS, or with the identity known of it? (INS-4)"""
        ins = read_ins(arguments)
        known = await self._identities.identity(str(ins))
        return confirm(_traits(ins, known) if known else ins, arguments, self._today(), self._house.realm)

    async def list(self, arguments: Arguments) -> Result:
        """How many identities there are of each status; those of one status, INS masked, when it is named."""
        counts = await self._identities.count_identities()
        result: Result = {
            "counts": {status.value: counts.get(status, 0) for status in IdentityStatus},
            "total": sum(counts.values()),
        }
        if wanted := text(arguments, "status", ""):
            rows = await self._identities.identities(LIST_LIMIT, understood(parse_status, wanted))
            result["identities"] = [
                {
                    "ins": mask_text(row.ins),
                    "oid": row.oid,
                    "source": row.source,
                    "updated_at": row.updated_at,
                }
                for row in rows
            ]
        return result

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock(), UTC).date()


def read_ins(arguments: Arguments) -> Ins:
    """The INS of the argument `ins`, alone, printed in groups or as an address; raises `OperationRefused`."""
    return understood(parse_ins, "".join(text(arguments, "ins").partition("@")[0].split()))


def reading(ins: Ins, today: date) -> Result:
    """What the number itself tells: masked, the sentence, the three lines of the screen, its parts."""
    return {
        "ins": ins.masked(),
        "masked": ins.masked(),
        "sentence": describe(ins, today.year),
        "screen": [*screen(ins, today.year)],
        "key_holds": ins.key_holds,
        "sex": ins.sex,
        "year": ins.year,
        "month": ins.month,
        "department": ins.department,
    }


def confirm(
    known: Ins | Traits, arguments: Arguments, today: date, realm: Realm = Realm.PRODUCTION
) -> Result:
    """Compare the arguments `sex`, `born` and `department` with what is known; raises `OperationRefused`.

    A number whose key is wrong agrees with nobody, except in the realms where such numbers are used (INS-2).
    """
    ins = known if isinstance(known, Ins) else known.ins
    wrong = compare_traits(
        known,
        understood(parse_sex, text(arguments, "sex")),
        understood(lambda value: parse_born(value, today), text(arguments, "born")),
        understood(parse_department, text(arguments, "department")),
    )
    if not ins.key_holds and realm is Realm.PRODUCTION:
        wrong.insert(0, "key")
    return {
        "ins": ins.masked(),
        "agrees": not wrong,
        "mismatches": [{"trait": trait, "sentence": TRAITS[trait]} for trait in wrong],
        "registry": None if isinstance(known, Ins) else known.status.value,
    }


def _identity(traits: Traits, source: str) -> Identity:
    return Identity(
        ins=str(traits.ins),
        oid=traits.oid,
        family=traits.family,
        given=traits.given,
        sex=traits.sex,
        born=str(traits.born),
        place=traits.place,
        status=traits.status,
        source=source,
    )


def _same(before: Identity | None, row: Identity) -> bool:
    return before is not None and replace(before, source=row.source, updated_at=row.updated_at) == row


def _traits(ins: Ins, known: Identity) -> Traits:
    born = Born(*(int(part) for part in known.born.split("-")))
    return Traits(ins, known.oid, known.family, known.given, known.sex, born, known.place, known.status)


def _shown(known: Identity | None) -> Result | None:
    if known is None:
        return None
    return {
        "family": known.family,
        "given": known.given,
        "sex": known.sex,
        "born": known.born,
        "place": known.place,
        "oid": known.oid,
        "status": known.status.value,
        "updated_at": known.updated_at,
        "source": known.source,
    }
