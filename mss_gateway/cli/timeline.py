"""How a timeline looks to a person: when, how long after, what, its evidence and what to do (AUD-2)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from .output import console, visible

MARKS = {
    "good": ("✓", "green"),
    "doubt": ("!", "yellow"),
    "bad": ("✗", "red"),
    "plain": ("·", "dim"),
}
"""Tone to mark and colour."""

MARGIN = 25
"""Columns in front of the words: local time, time since the first line, mark."""

NARROWEST = 24
"""Columns that words need, however narrow the terminal."""

_OUTCOMES = {"passed": "good", "warned": "doubt", "refused": "bad"}
_COUNTED = {
    "placed": ("mailbox", "mailboxes"),
    "filed": ("copy filed", "copies filed"),
    "queued": ("recipient elsewhere", "recipients elsewhere"),
    "attempts": ("attempt", "attempts"),
}
_BETWEEN = " · "


def show(result: dict[str, Any], *, rules: bool) -> None:
    """The lines of a `trace`, day by day; with `rules`, each decision rule by rule."""
    out = console()
    words = max(out.width - MARGIN, NARROWEST)
    for line in _page(result, words, rules):
        out.print(line, soft_wrap=True)


def _page(result: dict[str, Any], words: int, rules: bool) -> Iterator[Text]:
    lines = result["lines"]
    if result["message_id"]:
        yield Text.assemble(("Message ", "bold"), visible(result["message_id"]))
    day, before = "", {"transaction": "", "actor": "", "message_id": ""}
    for line in lines:
        moment = datetime.fromtimestamp(line["at"], UTC).astimezone()
        today = f"{moment:%A %d %B %Y, %Z}"
        if today != day:
            day = today
            yield Text(day, "bold")
        first, *rest = [*_told(line, before, words), *_rules(line, rules)]
        yield Text.assemble(_margin(line, moment, lines[0]["at"]), first)
        for one in rest:
            yield Text.assemble(" " * MARGIN, one)
        before = {
            "transaction": line["transaction"] or before["transaction"],
            "actor": line["actor"] or before["actor"],
            "message_id": line.get("message_id", ""),
        }
    if result["more"]:
        yield Text("There are more lines: --limit shows them.", "yellow")


def _margin(line: dict[str, Any], moment: datetime, first: float) -> Text:
    mark, colour = MARKS[line["tone"]]
    stamp = f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03}"
    return Text.assemble((f"{stamp} {since(line['at'] - first):>9} ", "dim"), (mark, colour), " ")


def _told(line: dict[str, Any], before: dict[str, str], words: int) -> Iterator[Text]:
    """The title, then the reason with its meaning, the evidence, the remedy, as far as they are there."""
    head = Text.assemble((visible(line["title"]), "bold"))
    if line["event"] != line["title"]:
        if len(line["title"]) + 2 + len(line["event"]) <= words:
            head.append("  ")
        else:
            yield head
            head = Text()
        head.append(visible(line["event"]), "dim")
    yield head
    detail = dict(line["detail"])
    meaning = f": {line['meaning']}" if line.get("meaning") else ""
    reason = detail.pop("reason", "")
    if line["event"] == "integration-error" and meaning:
        yield from map(Text, wrapped(f"code {visible(detail.pop('code'))}{meaning}", words))
    elif reason and reason != "sent":
        code = f"{visible(detail.pop('code'))} " if line["event"] == "refused" and "code" in detail else ""
        yield from map(Text, wrapped(f"{code}reason {visible(reason)}{meaning}", words))
    yield from map(Text, laid(_evidence(line, detail, before), words))
    for number, one in enumerate(wrapped(line.get("remedy", ""), words - 2)):
        yield Text.assemble(("  " if number else "→ ", "yellow"), one)


def _evidence(line: dict[str, Any], detail: dict[str, str | int], before: dict[str, str]) -> Iterator[str]:
    """Who, which message and which transaction, when they change; and what the line holds."""
    if line["actor"] and line["actor"] != before["actor"]:
        yield f"by {visible(line['actor'])}"
    detail.pop("rule", None)
    for name, value in detail.items():
        if shown := phrase(name, value):
            yield shown
    another = line.get("message_id", "")
    if another and another not in (before["message_id"], detail.get("report")):
        yield f"message {visible(another)}"
    if line["transaction"] != before["transaction"] and line["transaction"]:
        yield f"transaction {visible(line['transaction'])}"


def _rules(line: dict[str, Any], wanted: bool) -> Iterator[Text]:
    for rule in line["rules"] if wanted else ():
        mark, colour = MARKS[_OUTCOMES.get(rule["outcome"], "plain")]
        yield Text.assemble((mark, colour), f" {visible(rule['name']):<22} ", (rule["ids"], "dim"))


def wrapped(text: str, width: int) -> list[str]:
    """A sentence on lines of that width; ids are not broken at their hyphens."""
    return textwrap.wrap(text, width, break_on_hyphens=False)


def laid(items: Iterable[str], width: int) -> Iterator[str]:
    """Items side by side, as many as fit on a line; an item is broken only when it is alone too long."""
    line = ""
    for item in items:
        if line and len(line) + len(_BETWEEN) + len(item) <= width:
            line += _BETWEEN + item
            continue
        if line:
            yield line
        *full, line = wrapped(item, width) or [""]
        yield from full
    if line:
        yield line


def phrase(name: str, value: str | int) -> str:
    """One detail as people read it; one that has no phrase of its own is named, a count of nothing is left out."""
    if name == "size" and isinstance(value, int):
        return octets(value)
    if name in _COUNTED and isinstance(value, int):
        return f"{value} {_COUNTED[name][value > 1]}" if value else ""
    if name == "expired":
        return "its time has run out" if value else ""
    name = "from" if name == "peer" else visible(name).replace("_", " ")
    return f"{name} {visible(value)}"


def octets(size: int) -> str:
    """A size as people read it, in binary units."""
    if size < 1024:
        return f"{size} octets"
    if size < 1024 * 1024:
        return f"{size / 1024:.1f} KiB"
    return f"{size / 1024 / 1024:.1f} MiB"


def since(seconds: float) -> str:
    """Time since the first line: `+0.021 s`, `+0.4 s`, `+12 min`, `+3 h 05`, `+2 d 04 h`; nothing for the first."""
    if seconds < 0.0005:
        return ""
    if seconds < 59.95:
        return f"+{seconds:.3f} s" if seconds < 0.0995 else f"+{seconds:.1f} s"
    minutes = int(seconds + 0.5) // 60
    if minutes < 60:
        return f"+{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"+{hours} h {minutes:02}"
    return f"+{hours // 24} d {hours % 24:02} h"
