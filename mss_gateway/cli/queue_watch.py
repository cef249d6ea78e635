"""`mss-gateway queue watch`: the queue as it moves; totals, rates, domains (QUE-3)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from .call import settings_of
from .output import console, fail, unobeyed, visible
from .timeline import NARROWEST, wrapped

if TYPE_CHECKING:
    from mss_gateway.settings import Settings

ROWS = 40
"""Domains shown at most; the oldest come first."""

_FIGURES = "{:>5} {:>5} {:>4} {:>6} {:>8} {:>8}  {}"
_INDENT = " " * 6
_OUTCOMES = ("relayed", "deferred", "failed")
_NEW_SINCE = 0.05  # seconds: two looks closer than this give no rate


def run(config: Path, interval: float, *, once: bool, as_json: bool) -> None:
    """Look again and again until Ctrl-C, or until the gateway stops."""
    settings = settings_of(config, as_json=as_json)
    looks = _looks(settings, interval, once=once, as_json=as_json)
    out = console()
    try:
        if as_json:
            _documents(looks)
        elif out.is_terminal and not once:
            _live(looks)
        else:
            for now, before in looks:
                out.print(page(now, before) if once else line(now, before), soft_wrap=not once)
    except KeyboardInterrupt:
        return


def _looks(
    settings: Settings, interval: float, *, once: bool, as_json: bool
) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Each look with the one before it; ends when the gateway has stopped. Without one at all the command fails."""
    from mss_gateway.ops.control import ask
    from mss_gateway.ops.operation import UNAVAILABLE, OperationRefused

    before: dict[str, Any] | None = None
    while True:
        try:
            now = ask(settings.control, "queue.stats", {})
        except (ConnectionError, OperationRefused, OSError) as error:
            if before is None:
                if isinstance(error, OperationRefused):
                    fail(error.sentence, error.exit_code, reason=error.reason, as_json=as_json)
                fail("No gateway is running here", UNAVAILABLE, reason="not-running", as_json=as_json)
            if not as_json:
                console().print("The gateway has stopped.")
            return
        yield now, before
        if once:
            return
        before = now
        time.sleep(interval)


def _documents(looks: Iterator[tuple[dict[str, Any], dict[str, Any] | None]]) -> None:
    import orjson

    for now, before in looks:
        typer.echo(unobeyed(orjson.dumps(now | {"rates": rates(now, before)}).decode()))


def _live(looks: Iterator[tuple[dict[str, Any], dict[str, Any] | None]]) -> None:
    from rich.live import Live

    with Live(console=console(), auto_refresh=False, screen=False) as live:
        for now, before in looks:
            live.update(page(now, before, short=True), refresh=True)


def rates(now: dict[str, Any], before: dict[str, Any] | None) -> dict[str, float]:
    """Recipients a second since the look before, by what became of them; empty for the first look."""
    if before is None or now["at"] - before["at"] < _NEW_SINCE:
        return {}
    passed = now["at"] - before["at"]
    return {
        name: round(max(0, now["since_start"][name] - before["since_start"][name]) / passed, 1)
        for name in _OUTCOMES
    }


def line(now: dict[str, Any], before: dict[str, Any] | None) -> str:
    """One look on one line."""
    stamp = time.strftime("%H:%M:%S", time.localtime(now["at"]))
    speed = " ".join(f"{name} {value}/s" for name, value in rates(now, before).items())
    silent = sum(one["silence"] is not None for one in now["domains"])
    return f"{stamp} {_totals(now)}, {silent} silent{'; ' + speed if speed else ''}"


def _totals(now: dict[str, Any]) -> str:
    totals = now["totals"]
    parts = [f"{totals['rows']} queued", f"{totals['leased']} under way", f"{totals['held']} held"]
    parts += [f"{totals['uncertain']} uncertain", f"{totals['domains']} domains"]
    return ", ".join(parts)


def page(now: dict[str, Any], before: dict[str, Any] | None, *, short: bool = False) -> RenderableType:
    """The whole look: totals, rates, and the domains, the one that waits longest first; `short` cuts their reasons."""
    from .queue import span

    head = Text(_totals(now), "bold")
    oldest = now["totals"]["oldest_at"]
    if oldest is not None:
        head.append(f", the oldest for {span(now['at'] - oldest)}")
    parts: list[RenderableType] = [head]
    speed = rates(now, before)
    if speed:
        parts.append(Text("  ".join(f"{name} {value}/s" for name, value in speed.items())))
    elif now["running"]:
        counted = now["since_start"]
        parts.append(Text("since the start: " + ", ".join(f"{counted[name]} {name}" for name in _OUTCOMES)))
    else:
        parts.append(Text("No gateway is running: nothing moves.", "yellow"))
    if now["domains"]:
        parts += _domains(now, short)
    if len(now["domains"]) > ROWS:
        parts.append(Text(f"{len(now['domains']) - ROWS} more domains"))
    return Group(*parts)


def _domains(now: dict[str, Any], short: bool) -> Iterator[Text]:
    """A line of figures for each domain, which stands last since it may be long; below it why it waits."""
    width = console().width
    yield Text(_FIGURES.format("rows", "going", "held", "unsure", "oldest", "next", "domain"), "bold")
    for one in now["domains"][:ROWS]:
        yield from _domain(one, now["at"], width, short)


def _domain(one: dict[str, Any], now: float, width: int, short: bool) -> Iterator[Text]:
    from .queue import span, until

    silence = one["silence"]
    reason = one["last_error"]
    coming = "" if one["next_attempt_at"] is None else until(one["next_attempt_at"], now)
    if silence is not None:
        reason = f"silent, {silence['failures']} in a row: {silence['reason']} {silence['text']}"
        coming = until(silence["until"], now)
    counts = (one["rows"], one["under_way"] or one["leased"], one["held"], one["uncertain"])
    figures = _FIGURES.format(*counts, span(now - one["oldest_at"]), coming, visible(one["domain"]))
    yield Text(figures, "yellow" if silence is not None else "")
    room = max(width - len(_INDENT), NARROWEST)
    lines = wrapped(visible(reason), room)
    if short and len(lines) > 1:
        lines = [f"{lines[0][: room - 1]}…"]
    yield from (Text(_INDENT + part, "dim") for part in lines)
