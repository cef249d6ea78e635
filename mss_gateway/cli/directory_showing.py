"""How the national directory looks to a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich import box
from rich.markup import escape
from rich.table import Table

from .output import console, record, table, visible
from .trust_showing import moment

if TYPE_CHECKING:
    from mss_gateway.directory.importing import Report


def imported(report: Report) -> None:
    """What an import came to, the bad lines first."""
    from mss_gateway.directory.lines import REASONS

    out, meta = console(), report.meta
    for number, reason in report.bad:
        out.print(f"[red]line {number}[/] left out: {REASONS[reason]} \\[{reason}]", soft_wrap=True)
    if meta.refused > len(report.bad):
        out.print(
            f"… and {meta.refused - len(report.bad)} more: --bad names as many as you like", soft_wrap=True
        )
    change = f", {meta.rows - report.before.rows:+d} rows" if report.before else ""
    if not report.changed:
        out.print("[bold green]✓[/] this very file is in force already: nothing has changed")
        return
    out.print(
        f"[bold green]✓[/] in force: {meta.rows} rows of {meta.addresses} addresses, of {moment(meta.generated_at)}"
        f"{change}; {meta.refused} lines left out; {report.seconds:.1f} s",
        soft_wrap=True,
    )


def rows(found: Mapping[str, Any]) -> None:
    """Rows that fit, one line each."""
    out = console()
    if not found["rows"]:
        out.print("Directory: nothing fits; try fewer words, or --online")
        return
    grid = Table(
        header_style="bold", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0)
    )
    for title in ("type", "name", "profession", "structure", "place", "address"):
        grid.add_column(title, overflow="fold", no_wrap=title == "type")
    for one in found["rows"]:
        grid.add_row(*(escape(visible(cell)) for cell in _cells(one)))
    out.print(grid)
    if found["more"]:
        out.print("[dim]there are more: add words or filters, or --limit[/]")


def _cells(one: Mapping[str, str]) -> tuple[str, ...]:
    name = " ".join(part for part in (one.get("name"), one.get("first_name")) if part)
    profession = ", ".join(part for part in (one.get("profession"), one.get("skill")) if part)
    structure = ", ".join(
        part for part in (one.get("service"), one.get("structure") or one.get("sign")) if part
    )
    return one.get("type", ""), name, profession, structure, one.get("town", ""), one.get("address", "")


def entries(found: Mapping[str, Any]) -> None:
    """Every row of an address."""
    for one in found["rows"]:
        record(visible(one["address"]), {name: value for name, value in one.items() if name != "address"})


def status(found: Mapping[str, Any]) -> None:
    """The copy in force, the one before, the last attempt, what comes next, the alarms."""
    out = console()
    out.print("[bold]National directory[/]")
    copy, previous, last = found["copy"], found["previous"], found["last"]
    lines = {
        "in force": _copy(copy) if copy else "none",
        "imported": moment(copy["imported_at"]) if copy else "",
        "left out": f"{copy['refused']} lines" if copy and copy["refused"] else "",
        "before": _copy(previous) if previous else "",
        "tried": f"{moment(last['tried_at'])} {last['source']}" if last["tried_at"] else "never",
        "failures": f"{last['failures']} in a row" if last["failures"] else "",
        "next": moment(found["next_at"]) if found["next_at"] else "",
        "file": found["file"],
        "address": found["url"],
        "API": found["fhir_url"],
    }
    for name, value in lines.items():
        if value:
            out.print(f"  {name:<10} {escape(visible(value))}", soft_wrap=True)
    for alarm in found["alarms"]:
        reason = escape(alarm["reason"])
        out.print(f"[yellow]![/] {escape(visible(alarm['sentence']))} [dim]({reason})[/]", soft_wrap=True)
    if not found["alarms"]:
        out.print("[bold green]✓[/] no alarm")


def compared(found: Mapping[str, Any]) -> None:
    """What is published against what is here."""
    titles = {
        "absent": "Published, and not here",
        "differing": "Published as another type",
        "unpublished": "Here, and not published (or on the red list)",
    }
    for name, title in titles.items():
        rows, count = found[name], found["count"][name]
        if rows:
            table(f"{title}: {count}", list(rows[0]), rows)
    count = found["count"]
    console().print(
        f"{found['published']} published, {count['absent']} of them not here, {count['differing']} of another type;"
        f" {count['unpublished']} here and not published"
    )


def _copy(copy: Mapping[str, Any]) -> str:
    age = f", {copy['age_hours'] / 24:.1f} days old" if "age_hours" in copy else ""
    return f"{copy['rows']} rows of {moment(copy['generated_at'])}{age}, from {copy['source']}"
