"""The gate of every operation: no INS whole in what it answers, unless it was asked for in full (INS-7)."""

from __future__ import annotations

from collections.abc import Mapping

from mss_gateway.rules.ins import mask_text

from .operation import Arguments, Operation, OperationRefused, Result, flag

IDENTIFIERS = frozenset({"structure", "responsible", "national_id", "structure_id"})
"""Checked numbers of structures and professionals: a SIRET with its prefix is as long as an INS."""


def masked(table: Mapping[str, Operation]) -> dict[str, Operation]:
    """The same operations, their answers and refusals masked."""
    return {name: _masked(operation) for name, operation in table.items()}


def _masked(operation: Operation) -> Operation:
    async def run(arguments: Arguments) -> Result:
        try:
            result = await operation(arguments)
        except OperationRefused as refused:
            raise OperationRefused(mask_text(refused.sentence), refused.reason, refused.exit_code) from None
        return result if flag(arguments, "full") else _record(result)

    return run


def _record(result: Mapping[str, object]) -> Result:
    return {
        mask_text(name): value if name in IDENTIFIERS else _plain(value) for name, value in result.items()
    }


def _plain(value: object) -> object:
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, Mapping):
        return _record(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
