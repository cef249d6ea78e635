"""What may be changed of a professional's mailbox after it was provisioned (BAL-8, CHN-6 and 8, IMP-2, RCP-4)."""

from __future__ import annotations

from dataclasses import asdict

from mss_gateway.ports.records import BoxChoices
from mss_gateway.rules.boxes import check_auto_close, check_fin, check_place

from .boxes import BoxOperations, Provisioning, checked, record
from .operation import USAGE, Arguments, Operation, OperationRefused, Result, text
from .tracing import traced

NEVER = "never"
"""How people write an empty `auto_close`: the channel is closed by hand alone."""


class ChoiceOperations:
    """`bal set`."""

    def __init__(self, provisioning: Provisioning) -> None:
        self._rows = provisioning.rows
        self._boxes = BoxOperations(provisioning)

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"bal.set": self.set}

    async def set(self, arguments: Arguments) -> Result:
        """Change what is named and leave the rest; all is checked before anything is written."""
        row = await self._boxes.found(arguments)
        auto_close = _text(arguments, "auto_close")
        choices = BoxChoices(
            display=_text(arguments, "display"),
            patient_initiated=_flag(arguments, "patient_initiated"),
            fin=_text(arguments, "fin"),
            auto_close="" if auto_close == NEVER else auto_close,
            exchange_folder=_flag(arguments, "exchange_folder"),
            server_mdn=_flag(arguments, "server_mdn"),
            structure=_text(arguments, "structure"),
            responsible=_text(arguments, "responsible"),
        )
        if choices.structure is not None or choices.responsible is not None:
            structure = row.structure if choices.structure is None else choices.structure
            responsible = row.responsible if choices.responsible is None else choices.responsible
            checked(lambda: check_place(row.type, structure, responsible))
        if choices.fin is not None:
            fin = choices.fin
            checked(lambda: check_fin(fin))
        if choices.auto_close is not None:
            wanted = choices.auto_close
            checked(lambda: check_auto_close(wanted, row.type))
        after = await self._rows.set_box_choices(
            row.id, choices, traced("bal-set", arguments, row.id, **chosen(choices))
        )
        return {"bal": record(after)}


def chosen(choices: BoxChoices) -> dict[str, str]:
    """What was chosen, as texts for the trace; raises `OperationRefused` when nothing was."""
    named = {name: value for name, value in asdict(choices).items() if value is not None}
    if not named:
        raise OperationRefused("Say what to change: see --help", "nothing-to-change", USAGE)
    return {name: NEVER if value == "" else str(value).lower() for name, value in named.items()}


def _text(arguments: Arguments, name: str) -> str | None:
    return text(arguments, name) if arguments.get(name) is not None else None


def _flag(arguments: Arguments, name: str) -> bool | None:
    value = arguments.get(name)
    if value is not None and not isinstance(value, bool):
        raise OperationRefused(f"The argument {name} is not true or false", "bad-argument", USAGE)
    return value
