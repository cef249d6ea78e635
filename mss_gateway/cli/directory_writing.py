"""An address book written to a file: beside it first, then in its place."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .output import fail

if TYPE_CHECKING:
    from mss_gateway.settings import Settings


def export_book(
    settings: Settings,
    file: Path,
    kind: str,
    question: dict[str, Any],
    limit: int,
    base: str,
    *,
    as_json: bool,
) -> int:
    """Write the rows that fit, and return their number; a refusal ends the command."""
    from mss_gateway.app.annuaire import annuaire_of
    from mss_gateway.directory.entry import Wanted, record_of
    from mss_gateway.directory.export import written
    from mss_gateway.directory.problems import DirectoryProblem

    async def found() -> list[str]:
        annuaire = annuaire_of(settings)
        try:
            return await annuaire.export(Wanted(**question), limit)
        finally:
            await annuaire.close()

    try:
        rows = asyncio.run(found())
    except DirectoryProblem as problem:
        code = 2 if problem.reason == "directory-question" else 4
        fail(problem.sentence, code, reason=problem.reason, as_json=as_json)
    beside = file.with_name(f".{file.name}.new")
    try:
        with beside.open("w", encoding="utf-8", newline="") as out:
            out.writelines(written(kind, map(record_of, rows), base))
        beside.replace(file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        why = (error.strerror or "error").lower()
        fail(f"{file}: cannot be written ({why})", 6, reason="unavailable", as_json=as_json)
    return len(rows)
