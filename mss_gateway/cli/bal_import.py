"""`mss-gateway bal import`: mailboxes from a file, with a plan of what changes before it does."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .call import DEFAULT_CONFIG, AsJson, Config, call
from .output import console, fail, record, show_json, visible

if TYPE_CHECKING:
    from mss_gateway.ops.box_file import BoxFile

    from .importing import Ask

SHOWN = 200  # lines of a plan, and of refusals, that people are shown; --json lists all


@dataclass(slots=True)
class _Outcome:
    """What the file does, or would do."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    missing: int = 0
    closed: int = 0
    refused: list[dict[str, Any]] = field(default_factory=list)
    warned: list[dict[str, Any]] = field(default_factory=list)
    plan: list[dict[str, Any]] = field(default_factory=list)

    def add(self, answer: Mapping[str, Any]) -> None:
        """Count one batch."""
        for name in ("created", "updated", "unchanged"):
            setattr(self, name, getattr(self, name) + answer[name])
        for name in ("refused", "warned", "plan"):
            getattr(self, name).extend(answer[name])


@dataclass(frozen=True, slots=True)
class _Wish:
    """What was asked for."""

    file: Path
    reconcile: bool
    close_missing: bool
    close_at_most: int
    force: bool
    yes: bool
    dry_run: bool
    json: bool

    def arguments(self, *, dry_run: bool) -> dict[str, Any]:
        """Of `bal.import`."""
        return {"source": self.file.name, "exact": self.reconcile, "dry_run": dry_run}


def import_(
    file: Annotated[
        Path | None, typer.Argument(help="A CSV file, UTF-8 or Windows-1252, with a line of headings.")
    ] = None,
    reconcile: Annotated[
        bool,
        typer.Option(
            "--reconcile", help="The file is the whole truth: show the plan first, tell what is missing."
        ),
    ] = False,
    close_missing: Annotated[
        bool,
        typer.Option("--close-missing", help="With --reconcile: close mailboxes that are not in the file."),
    ] = False,
    close_at_most: Annotated[
        int, typer.Option("--close-at-most", help="Percentage of the mailboxes in use that may be closed so.")
    ] = 10,
    force: Annotated[bool, typer.Option("--force", help="Close more than that all the same.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask before carrying out the plan.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell, and change nothing.")] = False,
    status: Annotated[bool, typer.Option("--status", help="What became of the last imports.")] = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Provision and change mailboxes from a file; bad lines are listed and left out (exit 7).

    Columns: address; type (PER, ORG, APP, CAB); display; structure; responsible; national_id (of the holder of a PER);
    login; members (logins, separated by spaces); state (active, suspended, closed); reason; quota_bytes;
    quota_messages; patient_initiated; password_login; fin; auto_close. Only the first two are needed; French headings
    are known too. An empty cell leaves what is there, - empties it. No password is in it: see `person passwd`.

    Example: mss-gateway bal import boites.csv --reconcile --close-missing --dry-run
    """
    if status:
        result = call(config, "bal.import-status", {}, as_json=json)
        if not json:
            columns = (
                "imported_at",
                "created",
                "updated",
                "unchanged",
                "refused",
                "missing",
                "closed",
                "problem",
            )
            for one in result["imports"]:
                record(one["source"], {name: one.get(name) for name in columns})
            if not result["imports"]:
                console().print("No file of mailboxes was imported yet")
        return
    if file is None:
        fail("Name the file: mss-gateway bal import FILE.csv", 2, reason="bad-argument", as_json=json)
    if close_missing and not reconcile:
        fail("--close-missing goes with --reconcile", 2, reason="bad-argument", as_json=json)
    wish = _Wish(file, reconcile, close_missing, close_at_most, force, yes, dry_run, json)
    _run(wish, config)


def _run(wish: _Wish, config: Path) -> None:
    from mss_gateway.ops.tabular import BadTable

    from .importing import SOME_REFUSED, asking

    try:
        with asking(config, as_json=wish.json) as ask:
            outcome = _carry_out(wish, ask)
    except BadTable as bad:
        fail(f"{visible(wish.file.name)}: {bad}", 2, reason="table", as_json=wish.json)
    outcome.refused.sort(key=lambda line: line["line"])
    if wish.json:
        lists = {name: getattr(outcome, name) for name in ("refused", "warned", "plan")}
        show_json({**_counts(outcome), **lists, "dry_run": wish.dry_run})
    else:
        _tell(wish, outcome)
    raise typer.Exit(SOME_REFUSED if outcome.refused else 0)


def _carry_out(wish: _Wish, ask: Ask) -> _Outcome:
    from mss_gateway.ops.box_file import BoxFile

    file = BoxFile(wish.file)
    missing: list[str] = []
    in_use = 0
    if not (wish.reconcile or wish.dry_run):
        outcome = _pass(wish, ask, file, dry_run=False)
    else:
        outcome = _pass(wish, ask, file, dry_run=True)
        if wish.reconcile:
            missing, in_use = _missing(ask, file)
            outcome.missing = len(missing)
        figures = {"closing": len(missing), "in_use": in_use, "unread": file.unread}
        figures["percent"] = wish.close_at_most
        arguments = {"source": wish.file.name, "force": wish.force, **figures}
        closing = missing if wish.close_missing else []
        if closing:
            ask("bal.import-close", {**arguments, "addresses": []})  # refuses before anything is done
            outcome.plan += [{"address": key, "action": "close", "changes": []} for key in closing]
        if wish.dry_run:
            return outcome
        _agree(wish, outcome)
        _pass(wish, ask, BoxFile(wish.file), dry_run=False)
        for start in range(0, len(closing), 500):
            piece = closing[start : start + 500]
            outcome.closed += ask("bal.import-close", {**arguments, "addresses": piece})["closed"]
    ask("bal.import-note", {"source": str(wish.file), "outcome": _counts(outcome)})
    return outcome


def _pass(wish: _Wish, ask: Ask, file: BoxFile, *, dry_run: bool) -> _Outcome:
    from .importing import advancing

    outcome = _Outcome()
    with advancing(wish.file.name, wish.file.stat().st_size, quiet=wish.json) as advance:
        for rows, size in file.batches():
            if rows:
                outcome.add(ask("bal.import", {**wish.arguments(dry_run=dry_run), "rows": rows}))
            advance(size)
    outcome.refused += file.refused
    return outcome


def _missing(ask: Ask, file: BoxFile) -> tuple[list[str], int]:
    missing: list[str] = []
    in_use, page = 0, ask("bal.import-known", {})
    while page["after"]:
        in_use += len(page["known"])
        missing += [key for key in page["known"] if key not in file.seen]
        page = ask("bal.import-known", {"after": page["after"]})
    return missing, in_use


def _agree(wish: _Wish, outcome: _Outcome) -> None:
    """Show the plan; ask when somebody sits there."""
    if wish.json:
        return
    _show_plan(outcome)
    if not wish.yes and outcome.plan and sys.stdin.isatty():
        typer.confirm("Carry this out?", abort=True)


def _show_plan(outcome: _Outcome) -> None:
    out = console()
    for line in outcome.plan[:SHOWN]:
        changes = ", ".join(line["changes"]) if line["action"] == "update" else ""
        words = f"{line['action']:<7} {visible(line['address'])}  {changes}".rstrip()
        out.print(words, soft_wrap=True, markup=False)
    if len(outcome.plan) > SHOWN:
        out.print(f"… and {len(outcome.plan) - SHOWN} more: --json lists all")


def _counts(outcome: _Outcome) -> dict[str, int]:
    return {
        "created": outcome.created,
        "updated": outcome.updated,
        "unchanged": outcome.unchanged,
        "missing": outcome.missing,
        "closed": outcome.closed,
        "refused": len(outcome.refused),
    }


def _tell(wish: _Wish, outcome: _Outcome) -> None:
    out = console()
    if wish.dry_run:
        _show_plan(outcome)
    for title, lines in (("refused", outcome.refused), ("note", outcome.warned)):
        for line in lines[:SHOWN]:
            words = f"line {line['line']} {title}: {visible(line['sentence'])} [{line['reason']}]"
            out.print(words, soft_wrap=True, markup=False)
        if len(lines) > SHOWN:
            out.print(f"… and {len(lines) - SHOWN} more: --json lists all")
    verb = "would be " if wish.dry_run else ""
    parts = [f"{outcome.created} {verb}created", f"{outcome.updated} {verb}updated"]
    parts.append(f"{outcome.unchanged} unchanged")
    if wish.reconcile:
        closing = len([line for line in outcome.plan if line["action"] == "close"])
        done = f"{closing} would be closed" if wish.dry_run else f"{outcome.closed} closed"
        parts += [f"{outcome.missing} not in the file", done]
    out.print(", ".join([*parts, f"{len(outcome.refused)} refused"]), soft_wrap=True)
