"""Every slug with which the source refuses somebody, read from its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import mss_gateway

ROOMS = ("identity", "pipeline", "smtpd", "imapd", "rules", "trust", "net")
_PLACES = {"Refuse": 3, "wrong": 0, "later": 0, "replace": 9}


def slugs() -> dict[str, str]:
    """Slug to the file that says it, of all `Refuse(…)` that are written down with their slug."""
    root = Path(mss_gateway.__file__).parent
    found = {}
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            for slug in _said(ast.parse(path.read_text(encoding="utf-8"))):
                found[slug] = str(path.relative_to(root))
    return found


def _said(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        place = _PLACES.get(node.func.id)
        if place is None:
            continue
        given = [*node.args[place : place + 1], *(one.value for one in node.keywords if one.arg == "reason")]
        for one in given:
            if isinstance(one, ast.Constant) and isinstance(one.value, str):
                yield one.value
