"""Whether the file of mailboxes is taken in (OPS-2, BAL-5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from mss_gateway.ports.imports import BoxImports, ImportOutcome
from mss_gateway.rules.ins import mask_text

from .doctor import Check, Verdict

NAME = "mailbox import"
"""What the check is called."""


class PeopleHealth:
    """Examines the last import of the file that the setting `[mailboxes] import_file` names, None for none."""

    def __init__(self, imports: BoxImports, path: Path | None) -> None:
        self._imports = imports
        self._path = path

    async def examine(self) -> Sequence[Check]:
        """Nothing where no file is set."""
        if self._path is None:
            return []
        source = mask_text(str(self._path))
        found = [one for one in await self._imports.import_outcomes() if one.source == source]
        if not found:
            step = "wait for the first look, a minute after the start; is the gateway running?"
            return [Check(NAME, Verdict.DOUBT, f"{source} was not read yet", step)]
        return [_check(found[0])]


def _check(one: ImportOutcome) -> Check:
    when = datetime.fromtimestamp(one.at, UTC).strftime("%Y-%m-%d %H:%MZ")
    if problem := str(one.outcome.get("problem", "")):
        return Check(
            NAME, Verdict.BAD, f"{when}: {problem}", "correct the file; it is read again when it changes"
        )
    names = ("created", "updated", "unchanged", "refused", "missing", "closed")
    evidence = f"{when}: " + ", ".join(f"{one.outcome.get(name, 0)} {name}" for name in names)
    if one.outcome.get("refused"):
        step = f"`mss-gateway bal import {one.source} --dry-run` lists the lines with their reasons"
        return Check(NAME, Verdict.DOUBT, evidence, step)
    return Check(NAME, Verdict.GOOD, evidence)
