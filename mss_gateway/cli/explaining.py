"""How `explain` looks to a person."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

from rich.markup import escape

from .call import running_control
from .output import cell, console, fail, field


def brought(config: Path, message: bytes, *, as_json: bool) -> dict[str, str]:
    """The message as an argument; a large one goes to the running gateway in pieces before."""
    from mss_gateway.ops.control import ask
    from mss_gateway.ops.explain import PIECE
    from mss_gateway.ops.operation import OperationRefused

    control = running_control(config, os.environ) if len(message) > PIECE else None
    if control is None:
        return {"message": base64.b64encode(message).decode()}
    upload = ""
    try:
        for start in range(0, len(message), PIECE):
            piece = base64.b64encode(message[start : start + PIECE]).decode()
            upload = ask(control, "explain.piece", {"upload": upload, "message": piece})["upload"]
    except OperationRefused as refused:
        fail(refused.sentence, refused.exit_code, reason=refused.reason, as_json=as_json)
    except ConnectionError:  # none is running: in this process nothing limits it
        return {"message": base64.b64encode(message).decode()}
    return {"upload": upload}


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
