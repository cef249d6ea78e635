"""How `trust explain` looks to a person: each step with its evidence, and what the peer meets in the end (TRU-8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from .output import cell, console, visible
from .timeline import wrapped

MARKS = {
    "pass": ("✓", "green"),
    "fail": ("✗", "red"),
    "doubt": ("!", "yellow"),
    "not-reached": ("·", "dim"),
}
"""Verdict to mark and colour."""

MARGIN = 19
"""Columns in front of the evidence: mark and name of the step."""

_NARROWEST = 40
_ROLES = {"client": "Coming to us", "server": "When we deliver"}


def show(result: dict[str, Any]) -> None:
    """Every peer of an answer, one after another."""
    out = console()
    width = max(out.width - MARGIN, _NARROWEST)
    for number, peer in enumerate(result["peers"]):
        if number:
            out.print()
        for line in _peer(peer, width):
            out.print(line, soft_wrap=True)


def accepted(result: dict[str, Any]) -> bool:
    """True when a peer is accepted: of several hosts of a domain one is enough to bring the mail there."""
    return any(peer["accepted"] for peer in result["peers"])


def _peer(peer: dict[str, Any], width: int) -> Iterator[Text]:
    if "host" in peer:
        yield Text(f"{visible(peer['host'])} [{visible(peer['address'])}] port {peer['port']}", "bold")
    if "session" in peer:
        yield from _session(peer["session"], width)
    for step in peer["steps"]:
        yield from _step(step, width)
    for meeting in peer["meetings"]:
        yield from _meeting(meeting, width)


def _step(step: dict[str, Any], width: int) -> Iterator[Text]:
    mark, colour = MARKS[step["verdict"]]
    evidence = list(step["evidence"])
    if step["verdict"] == "not-reached":
        evidence = evidence or ["not reached"]
    lines = [line for one in evidence for line in wrapped(visible(one), width)] or [""]
    head = Text.assemble((mark, colour), " ", (f"{visible(step['name']):<{MARGIN - 3}} ", "bold"))
    dim = "dim" if step["verdict"] == "not-reached" else ""
    yield head.append(lines[0], dim)
    for line in lines[1:]:
        yield Text.assemble(" " * MARGIN, (line, dim))
    remedy = f"{step['remedy']} ({step['reason']})" if step["reason"] else step["remedy"]
    for number, line in enumerate(wrapped(remedy, width - 2)):
        yield Text.assemble(" " * MARGIN, ("  " if number else "→ ", "yellow"), line)


def _meeting(meeting: dict[str, Any], width: int) -> Iterator[Text]:
    good = meeting["accepted"]
    verdict = "accepted" if good else f"refused in the {meeting['where']}: {visible(meeting['reason'])}"
    if not good and meeting["where"] == "queue":
        verdict = f"waits in the queue: {visible(meeting['reason'])}"
    mark, colour = MARKS["pass" if good else "fail"]
    title = _ROLES[meeting["role"]]
    yield Text.assemble((mark, colour), " ", (f"{title:<{MARGIN - 3}} ", "bold"), (verdict, f"bold {colour}"))
    for line in wrapped(visible(meeting["told"]), width):
        yield Text.assemble(" " * MARGIN, line)


def _session(session: dict[str, Any], width: int) -> Iterator[Text]:
    yield Text.assemble(("Session ", "bold"), visible(session["id"]))
    whom = "came to us" if session["direction"] == "inbound" else "was gone to by us"
    facts = [
        f"{visible(session['peer'])} {whom}, refused at {cell('last_at', session['last_at'])}",
        f"reason {visible(session['reason'])}",
    ]
    if session["count"] > 1:
        facts.append(
            f"{session['count']} times since {cell('at', session['at'])}{cell('x_at', session['at'])}"
        )
    for name, words in (
        ("domain", "domain"),
        ("helo", "EHLO"),
        ("tls_version", "TLS"),
        ("tls_cipher", "suite"),
    ):
        if session[name]:
            facts.append(f"{words} {visible(session[name])}")
    for fact in facts:
        for line in wrapped(fact, width):
            yield Text.assemble(" " * MARGIN, line)
    for line in wrapped(session["remedy"], width - 2):
        yield Text.assemble(" " * MARGIN, ("→ ", "yellow"), line)
    if not session["certificates"]:
        yield Text.assemble(
            " " * MARGIN, ("The peer's certificate is not known: nothing more can be judged.", "dim")
        )
    else:
        yield Text("Its certificate, judged by what is in force now:", "bold")
