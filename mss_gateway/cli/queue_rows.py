"""How rows of the queue look to a person: one line of figures, then from whom to whom and why (QUE-3)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from rich.text import Text

from .output import console, visible
from .timeline import NARROWEST, laid

if TYPE_CHECKING:
    from .queue_pages import Page

_FIGURES = "{:>7}  {:>9}  {:<10} {:>8}  {}"
_INDENT = " " * 9
_COLOURS = {"held": "yellow", "uncertain": "yellow", "leased": "green"}


def show(pages: Iterable[Page]) -> None:
    """Page by page, as they come."""
    out = console()
    words = max(out.width - len(_INDENT), NARROWEST)
    now, count, more = time.time(), 0, False
    for page in pages:
        more = page.next is not None
        for row in page.rows:
            if not count:
                out.print(Text(_FIGURES.format("id", "age", "state", "attempts", "next"), "bold"))
            count += 1
            for line in _lines(row, now, words):
                out.print(line, soft_wrap=True)
    if not count:
        out.print("Queue: none")
    if more:
        out.print("[yellow]There are more rows: --limit or --all shows them.[/]")


def _lines(row: dict[str, Any], now: float, words: int) -> Iterator[Text]:
    from .queue import span, until

    waits = row["state"] in ("waiting", "uncertain")
    coming = until(row["next_attempt_at"], now) if waits else ""
    if waits and row["behind"]:
        coming = f"behind {row['behind']}"
    age = span(now - row["queued_at"])
    figures = _FIGURES.format(row["id"], age, row["state"], row["attempts"], coming)
    yield Text(figures.rstrip(), _COLOURS.get(row["state"], ""))
    reason = row["hold_reason"] if row["state"] == "held" else row["last_error"]
    told = [f"{visible(row['sender']) or '<>'} → {visible(row['recipient'])}", visible(reason)]
    yield from (Text(_INDENT + line, "dim") for line in laid([one for one in told if one], words))
