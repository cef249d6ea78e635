"""How `explain` looks to a person."""

from __future__ import annotations

from typing import Any

from rich.markup import escape

from .output import cell, console, field


def show(result: dict[str, Any]) -> None:
    """Facts, verdicts, decision and route, one recipient after another."""
    out = console()
    out.print("[bold]Facts[/]")
    field(out, "  caller    ", cell("", result["caller"]))
    field(out, "  sender    ", cell("", result["sender"]))
    for name, value in result["message"].items():
        if value not in (None, "", [], False, 0):
            field(out, f"  {name:<20} ", cell(name, value))
    for one in result["recipients"]:
        _recipient(one)
    route = result["route"]
    out.print("[bold]Route[/]")
    out.print(f"  mailboxes {route['mailboxes']} · relay {escape(', '.join(route['relay']) or 'none')}")
    for header in route["headers_added"]:
        out.print(f"  adds      {escape(header)}")


def _recipient(one: dict[str, Any]) -> None:
    out = console()
    out.print(f"[bold]Recipient[/] {escape(cell('', one['recipient']))}")
    field(out, "  channel   ", cell("", one["channel"]))
    for verdict in one["verdicts"]:
        refused = verdict["refuse"]
        mark = "[red]✗[/]" if refused else "[green]✓[/]"
        tail = f" → {refused}" if refused else ""
        out.print(f"  {mark} {verdict['rule']:<24} [dim]{escape(verdict['ids'])}[/]{escape(tail)}")
    if one["decision"] == "refuse":
        out.print("  [bold red]refuse[/]")
        field(out, "    ", f"{one['reply']} ({one['reason']})")
        return
    out.print("  [bold green]accept[/]")
    for action in one["actions"]:
        rest = {name: value for name, value in action.items() if name != "action"}
        field(out, f"    {action['action']:<13} ", cell("", rest))
