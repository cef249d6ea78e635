"""Structures: hospitals, surgeries, laboratories, as boxes name them (BAL-3)."""

from __future__ import annotations

from dataclasses import asdict, replace

from mss_gateway.ports.people import People, Structure
from mss_gateway.ports.store import AlreadyExists
from mss_gateway.rules.national import check_structure_id, structure_scheme

from .boxes import checked
from .operation import (
    CONFLICT,
    NOT_FOUND,
    USAGE,
    Arguments,
    Operation,
    OperationRefused,
    Result,
    limit_of,
    text,
)
from .tracing import traced

LIST_LIMIT = 1000
"""Structures in one answer when nothing else is asked for."""

_FIELDS = ("type", "name", "address", "city")


class StructureOperations:
    """`structure …`."""

    def __init__(self, rows: People) -> None:
        self._rows = rows

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "structure.list": self.list,
            "structure.show": self.show,
            "structure.add": self.add,
            "structure.set": self.set,
        }

    async def list(self, arguments: Arguments) -> Result:
        """Structures by id, those after `after`; `more` when the limit has cut the answer."""
        limit = limit_of(arguments, LIST_LIMIT, LIST_LIMIT)
        found = await self._rows.structures(text(arguments, "after", ""), limit + 1)
        more = found[limit - 1].id if len(found) > limit else ""
        return {"structures": [record(row) for row in found[:limit]], "more": more}

    async def show(self, arguments: Arguments) -> Result:
        """One structure with the mailboxes that name it."""
        return {"structure": await self._record(await self._found(arguments))}

    async def add(self, arguments: Arguments) -> Result:
        """Register a structure."""
        row = Structure(text(arguments, "id"), *(text(arguments, name, "") for name in _FIELDS))
        checked(lambda: check_structure_id(row.id))
        if not row.name:
            raise OperationRefused("A structure has a name: --name", "name-missing", USAGE)
        try:
            await self._rows.put_structure(row, traced("structure-add", arguments, None, id=row.id), new=True)
        except AlreadyExists:
            raise OperationRefused(
                f"There is a structure {row.id} already: see `structure show`", "exists", CONFLICT
            ) from None
        return {"structure": await self._record(row)}

    async def set(self, arguments: Arguments) -> Result:
        """Change what is named."""
        row = await self._found(arguments)
        named = {name: text(arguments, name) for name in _FIELDS if arguments.get(name) is not None}
        if not named:
            raise OperationRefused("Say what to change: see --help", "nothing-to-change", USAGE)
        if named.get("name") == "":
            raise OperationRefused("A structure has a name: --name", "name-missing", USAGE)
        after = replace(row, **named)
        trace = traced("structure-set", arguments, None, id=row.id, changed=" ".join(named))
        return {"structure": await self._record(await self._rows.put_structure(after, trace, new=False))}

    async def _found(self, arguments: Arguments) -> Structure:
        wanted = text(arguments, "id")
        row = await self._rows.structure(wanted)
        if row is None:
            raise OperationRefused(
                f"There is no structure {wanted}: see `structure list`", "unknown-structure", NOT_FOUND
            )
        return row

    async def _record(self, row: Structure) -> Result:
        boxes = await self._rows.boxes_of_structure(row.id)
        return {
            **record(row),
            "boxes": [
                {"address": box.address, "type": box.type.value, "state": box.state.value} for box in boxes
            ],
        }


def record(row: Structure) -> Result:
    """A structure as JSON; `scheme` is what its id is: finess, siret or another."""
    return {**asdict(row), "scheme": structure_scheme(row.id)}
