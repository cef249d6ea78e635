"""`mss-gateway status`: the facts of the status page in the terminal, in its own French words (OPS-1, OPS-4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from rich.text import Text

from .call import DEFAULT_CONFIG, AsJson, Config, call
from .output import console, visible
from .timeline import MARKS

UNWELL = 1
"""Exit code when something is bad."""

_HEADS = {"good": "Tout va bien", "doubt": "À surveiller", "bad": "Intervention nécessaire"}
_RATES = (("received", "reçus"), ("relayed", "transmis"), ("refused", "refusés"))


def status(config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """Show how the running gateway is: what to do, queue, trusted list, certificates, rates, refusals; names nobody.

    Ends with 0 unless something is bad, with 1 otherwise.

    Example: mss-gateway status --json
    """
    result = call(config, "status", {}, as_json=json)
    if not json:
        out = console()
        for line in _lines(result):
            out.print(line, soft_wrap=True)
    raise typer.Exit(UNWELL if result["state"] == "bad" else 0)


def _lines(facts: dict[str, Any]) -> Iterator[Text]:
    from mss_gateway.ops.status_words import span  # with the other words of the page

    mark, colour = MARKS[facts["state"]]
    yield Text.assemble(
        (f"{mark} {_HEADS[facts['state']]}", f"bold {colour}"), f"  {visible(facts['hostname'])}"
    )
    yield Text(f"  version {facts['version']}, en service depuis {span(facts['uptime_seconds'])}", "dim")
    for one in facts["todo"]:
        yield _marked(one["verdict"], visible(one["title"]))
        yield Text(f"    → {visible(one['remedy'])}", "yellow")
    yield from _queue(facts["queue"], facts["at"])
    trust = facts["trust"]
    yield _row("liste blanche", f"{trust['domains']} domaines, {span(trust['age_seconds'])}")
    for one in facts["certificates"]:
        left = "illisible" if one["days"] is None else f"encore {span(one['days'] * 86_400)}"
        yield _row("certificat", f"{visible(one['file'])} : {left}", one["verdict"])
    for one in facts["crls"]:
        yield _row("CRL", f"{visible(one['name'])} : encore {span(one['left_seconds'])}", one["verdict"])
    for key, name in _RATES:
        counts = (facts["rates"][span_][key] for span_ in ("minute", "hour", "day"))
        yield _row(name, "{} en une minute, {} en une heure, {} en un jour".format(*counts))
    channels = ", ".join(f"{one['count']} {one['name']}" for one in facts["channels"])
    yield _row("échanges", channels or "aucun")
    disk = facts["disk"]
    room = f"{disk['free'] / 1e9:.1f} Go libres sur {disk['total'] / 1e9:.1f} Go"
    yield _row("disque", room, disk["verdict"])
    for one in facts["refusals"]:
        ago = span(max(0.0, facts["at"] - one["last_at"]))
        yield _row(
            "refus", f"{one['count']} × {one['name']} : {one['meaning'] or one['reason']}, il y a {ago}"
        )
        yield Text(f"{'':18}→ {visible(one['remedy'])}", "dim")


def _queue(queue: dict[str, Any], now: float) -> Iterator[Text]:
    from mss_gateway.ops.status_words import span

    total = f"{queue['rows']} en attente pour {queue['domains']} domaines"
    yield _row("file d'envoi", f"{total}, {queue['held']} retenus" if queue["held"] else total)
    for one in queue["destinations"]:
        until = one["silent_until"]
        again = f", essai dans {span(max(0.0, until - now))}" if until else ""
        why = f", {one['meaning'] or one['reason']}" if one["reason"] else ""
        told = f"{one['domain']} : {one['rows']}, depuis {span(one['oldest_seconds'])}{why}{again}"
        yield _row("", visible(told), one["verdict"])


def _row(name: str, value: str, verdict: str = "plain") -> Text:
    mark, colour = MARKS[verdict] if verdict != "plain" else (" ", "")
    return Text.assemble("  ", (f"{name:<14}", "bold"), (mark, colour), " ", value)


def _marked(verdict: str, text: str) -> Text:
    mark, colour = MARKS[verdict]
    return Text.assemble("  ", (mark, colour), " ", (text, "bold"))
