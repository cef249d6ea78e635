"""CSV and JSON lines of the trace and of indicators, safe to open in a spreadsheet (AUD-1, AUD-3)."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from .output import unobeyed

BOM = "\ufeff"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def cell(value: object) -> str:
    """A cell that no spreadsheet takes for a formula: such a text begins with an apostrophe."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def table(file: TextIO, rows: Iterable[Iterable[object]], *, bom: bool = False) -> int:
    """Rows as CSV (RFC 4180, semicolons as French spreadsheets expect); returns how many."""
    if bom:
        file.write(BOM)
    writer = csv.writer(file, delimiter=";", lineterminator="\r\n")
    count = 0
    for row in rows:
        writer.writerow([cell(value) for value in row])
        count += 1
    return count


def write(file: TextIO, form: str, lines: Iterable[Mapping[str, Any]], *, bom: bool) -> int:
    """Lines as JSON, one on each line, or as CSV with the names of the columns in front; returns how many."""
    if form == "json":
        count = 0
        for line in lines:
            file.write(unobeyed(json.dumps(line, ensure_ascii=False)) + "\n")
            count += 1
        return count
    from mss_gateway.ops.audit_rows import COLUMNS

    table(file, [COLUMNS], bom=bom)
    return table(file, ([line[name] for name in COLUMNS] for line in lines))
