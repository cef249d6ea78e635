"""How the state of the trust space looks to a person: `trust status`, `trust diff`, `trust show` (TRU-3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from .output import cell, console, visible

_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}
_WAYS = {"inbound": "from", "outbound": "to"}
_WIDE = 100  # columns of a terminal from which on peer and domain stand side by side
_RECENT = timedelta(days=300)
_AGAINST = {
    "file": "The file against the list in force",
    "held": "The list that waits for a confirmation against the list in force",
    "previous": "The list in force against the one before",
}


def status(found: dict[str, Any]) -> None:
    """The list, revocation, authorities, our certificates, fetches, alarms."""
    out = console()
    listed = found["list"]
    out.print("[bold]Trusted list[/]")
    lines = {
        "generated": f"{moment(listed['generated_at'])}, {listed['age_hours']:.1f} h old",
        "domains": f"{listed['domains']} in {listed['entries']} entries"
        + (f", {listed['unreadable']} entries unreadable" if listed["unreadable"] else ""),
        "from": listed["source"],
        "SHA-256": listed["digest"],
    }
    held = listed["held"]
    if held:
        count = held["count"]
        lines["waiting"] = f"another list: +{count['added']} -{count['removed']} ~{count['changed']} domains"
    for name, value in lines.items():
        if value:
            out.print(f"  {name:<10} {escape(visible(value))}", soft_wrap=True)
    out.print("[bold]CRLs[/]")
    for one in found["crls"]:
        out.print(f"  {escape(visible(one['issuer']))}", soft_wrap=True)
        dates = f"{moment(one['this_update'])}, next due {moment(one['next_update'])}"
        _line(f"of {dates}; {one['serials']} revoked", one["source"])
    for title, name in (("Authorities", "authorities"), ("Our certificates", "own")):
        out.print(f"[bold]{title}[/]")
        for one in found[name]:
            out.print(f"  {escape(visible(one['subject'] or 'unreadable'))}", soft_wrap=True)
            dates = (
                f"{moment(one['valid_from'])} to {moment(one['valid_until'])}" if one["valid_from"] else ""
            )
            _line(dates, one["source"])
    if found["fetches"]:
        out.print("[bold]Fetches[/]")
    for one in found["fetches"]:
        out.print(f"  {escape(visible(one['what']))} {escape(visible(one['url']))}", soft_wrap=True)
        last = f"last {moment(one['fetched_at'])}" if one["fetched_at"] else "never fetched"
        due = f", next {moment(one['next_at'])}" if one["next_at"] else ""
        failures = f", {one['failures']} failures in a row" if one["failures"] else ""
        _line(last + due + failures, one["sentence"])
    for alarm in found["alarms"]:
        out.print(
            f"[yellow]![/] {escape(visible(alarm['sentence']))} [dim]({escape(alarm['reason'])})[/]",
            soft_wrap=True,
        )
    if not found["alarms"]:
        out.print("[bold green]✓[/] no alarm")


def _line(text: str, more: str) -> None:
    parts = " · ".join(visible(one) for one in (text, more) if one)
    console().print(f"    [dim]{escape(parts)}[/]", soft_wrap=True)


def diff(found: dict[str, Any]) -> None:
    """Domains gained, lost and changed, with the DNs."""
    out = console()
    out.print(f"[bold]{_AGAINST[found['against']]}[/]")
    count = found["count"]
    if not any(count.values()):
        out.print("  no difference")
    for name, (sign, colour) in _SIGNS.items():
        for one in found[name]:
            out.print(f"[{colour}]{sign} {escape(visible(one['domain']))}[/]", soft_wrap=True)
            for side, mark in (("dns_removed", "-"), ("dns_added", "+")):
                for dn in one[side]:
                    out.print(f"    [dim]{mark} {escape(visible(dn))}[/]", soft_wrap=True)
        rest = count[name] - len(found[name])
        if rest:
            out.print(f"  [dim]and {rest} more {name}: --limit shows them[/]")
    out.print(
        f"{count['added']} added, {count['removed']} removed ({found['removed_share']:.1%}), "
        f"{count['changed']} changed; {found['domains_before']} domains before, {found['domains_after']} after"
    )


def domain(found: dict[str, Any]) -> None:
    """One domain with its DNs."""
    out = console()
    out.print(f"[bold]{escape(visible(found['domain']))}[/]")
    for one in found["dns"]:
        out.print(f"  {escape(visible(one['dn']))}", soft_wrap=True)
        out.print(f"    [dim]operator[/]    {escape(visible(one['operator']))}", soft_wrap=True)
        out.print(f"    [dim]compared as[/] {escape(visible(one['normalised']))}", soft_wrap=True)
        others = one["domains"] - 1
        out.print(f"    [dim]also for[/]    {others} other domain{'' if others == 1 else 's'}")
    out.print(f"  [dim]list of {moment(found['list_generated_at'])}[/]")


def in_force(found: dict[str, Any]) -> None:
    """The list that came in force."""
    one = found["list"]
    console().print(
        f"[bold green]✓[/] in force: the list of {moment(one['generated_at'])} with {one['domains']} domains"
    )


def sessions(found: list[dict[str, Any]]) -> None:
    """The last refused sessions."""
    out = console()
    if not found:
        out.print("Refused sessions: none")
        return
    # An id is there to be copied, a reason to be looked up: neither is ever broken over two lines.
    grid = Table(
        title="Refused sessions",
        title_justify="left",
        header_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    wide = out.width >= _WIDE
    grid.add_column("id", no_wrap=True)
    grid.add_column("last, UTC", no_wrap=True)
    grid.add_column("times", justify="right", no_wrap=True)
    grid.add_column("peer" if wide else "peer, domain", overflow="fold")
    if wide:
        grid.add_column("domain", overflow="fold")
    grid.add_column("reason", no_wrap=True)
    now = datetime.now(UTC)
    for one in found:
        peer = visible(f"{_WAYS.get(one['direction'], one['direction'])} {one['peer']}")
        domain = visible(one["domain"])
        places = (peer, domain) if wide else (f"{peer}\n{domain}".rstrip(),)
        seen, reason = _last(one["last_at"], now), visible(one["reason"])
        grid.add_row(*(escape(shown) for shown in (one["id"], seen, str(one["count"]), *places, reason)))
    out.print(grid)
    for reason, remedy in {one["reason"]: one["remedy"] for one in found if one["remedy"]}.items():
        console().print(f"  [dim]{escape(reason)}[/] → {escape(remedy)}", soft_wrap=True)


def _last(at: float, now: datetime) -> str:
    """Month, day and time of what was within the last months, the date of what is older."""
    seen = datetime.fromtimestamp(at, UTC)
    return f"{seen:%m-%d %H:%M}" if now - seen < _RECENT else f"{seen:%Y-%m-%d}"


def moment(at: float) -> str:
    """Epoch seconds as people read them, in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}Z" if at else cell("", None)
