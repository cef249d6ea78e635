"""`mss-gateway queue …`: what waits for other operators, and changing it by hand (QUE-3)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .call import DEFAULT_CONFIG, AsJson, Config, call
from .output import console, fail, record, show_json, unobeyed

if TYPE_CHECKING:
    from .queue_pages import Page

app = typer.Typer(help="The outbound queue: what waits for other operators, and why.", no_args_is_help=True)

USAGE = 2  # as in ops.operation, which would load the whole line for a slip of the fingers

Ids = Annotated[list[int] | None, typer.Argument(help="Row ids, as `queue list` shows them.")]
Domain = Annotated[str | None, typer.Option("--domain", help="Rows to this domain.")]
Sender = Annotated[str | None, typer.Option("--sender", help="Rows of this sender; <> is the null sender.")]
Recipient = Annotated[str | None, typer.Option("--recipient", help="Rows to this recipient.")]
Message = Annotated[str | None, typer.Option("--message", help="Rows of this Message-ID.")]
State = Annotated[
    str | None, typer.Option("--state", help="Rows that are waiting, leased, held or uncertain.")
]
Everything = Annotated[bool, typer.Option("--all", help="Every row of the queue.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the timeline.")]


def _selection(
    ids: list[int] | None,
    domain: str | None,
    sender: str | None,
    recipient: str | None,
    message: str | None,
    state: str | None,
) -> dict[str, Any]:
    chosen = {
        "ids": ids,
        "domain": domain,
        "sender": sender,
        "recipient": recipient,
        "message": message,
        "state": state,
    }
    return {name: value for name, value in chosen.items() if value not in (None, [])}


@app.command(name="list")
def list_(
    domain: Domain = None,
    sender: Sender = None,
    recipient: Recipient = None,
    message: Message = None,
    state: State = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows at most.")] = 100,
    everything: Annotated[bool, typer.Option("--all", help="Without a limit.")] = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """List what waits, the oldest first: to whom, since when, until when, and why.

    Example: mss-gateway queue list --domain hopital.mssante.fr
    """
    from .queue_pages import pages

    chosen = _selection(None, domain, sender, recipient, message, state)
    found = pages(config, chosen, None if everything else limit, as_json=json)
    if json:
        _one_document(found)
        return
    from .queue_rows import show as shown

    shown(found)


def _one_document(found: Iterator[Page]) -> None:
    """One JSON document, a line for each row, written page by page: a hundred thousand rows are never held at once."""
    import sys

    sys.stdout.flush()
    out = getattr(sys.stdout, "buffer", None)

    def write(octets: bytes) -> None:
        if not octets.isascii() or b"\x7f" in octets:  # a page has a thousand rows: most are not looked at
            octets = unobeyed(octets.decode()).encode()
        if out is None:
            typer.echo(octets.decode(), nl=False)
        else:
            out.write(octets)

    before, more = b'{"rows": [\n', False
    for page in found:
        more = page.next is not None
        if page.octets:
            # The quotes of a text are escaped: this stands between two rows and nowhere else.
            write(before + page.octets.replace(b'},{"id":', b'},\n{"id":'))
            before = b",\n"
    if before != b",\n":
        write(before)
    write(b'\n], "more": %s}\n' % (b"true" if more else b"false"))
    if out is not None:
        out.flush()


@app.command()
def show(
    row: Annotated[str, typer.Argument(help="A row id, or a Message-ID.", metavar="ID|MESSAGE-ID")],
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Show one row, or all rows of one message, in full, with what the reason means and what to do.

    Example: mss-gateway queue show 42
    """
    result = call(config, "queue.show", {"row": row}, as_json=json)
    if json:
        return
    now = time.time()
    for one in result["rows"]:
        silent = one.pop("silent_until")
        if silent is not None:
            one["domain"] += f" (left alone, asked again {until(silent, now)})"
        one["sender"] = one["sender"] or "<>"
        record(f"Row {one.pop('id')}, waiting for {span(now - one['queued_at'])}", one)
    if result["timeline"] is not None:
        from .timeline import show as show_timeline

        show_timeline(result["timeline"], rules=False)


def _change(operation: str, chosen: dict[str, Any], config: Path, json: bool, done: str) -> None:
    from .queue_pages import changed

    result = changed(config, operation, chosen, as_json=json)
    if json:
        show_json(result)
    else:
        said = f"{_rows(result['rows'])} {done}"
        if result["under_way"]:
            said += f"; {_rows(result['under_way'])} under way at this moment"
        console().print(said)


def _rows(count: int) -> str:
    return f"{count} {'row' if count == 1 else 'rows'}"


def _changing(name: str, done: str, words: str) -> None:
    """A command that changes the rows that are named or chosen; `words` are its help."""

    def change(
        ids: Ids = None,
        domain: Domain = None,
        sender: Sender = None,
        recipient: Recipient = None,
        message: Message = None,
        state: State = None,
        everything: Everything = False,
        reason: Reason = "",
        config: Config = DEFAULT_CONFIG,
        json: AsJson = False,
    ) -> None:
        chosen = _selection(ids, domain, sender, recipient, message, state)
        chosen |= {"everything": everything, "reason": reason}
        _change(f"queue.{name}", chosen, config, json, done)

    change.__doc__ = words
    app.command(name)(change)


_changing(
    "retry",
    "will be tried now",
    """Try now what waits for later, and ask silent domains again.

    Example: mss-gateway queue retry --domain hopital.mssante.fr
    """,
)
_changing(
    "hold",
    "held",
    """Keep rows back until they are released; one under way is held when its attempt has not succeeded.

    Example: mss-gateway queue hold --sender logiciel@clinique.mssante.fr --reason "loop suspected"
    """,
)
_changing(
    "release",
    "released",
    """Let held rows go.

    Example: mss-gateway queue release --all
    """,
)


@app.command()
def cancel(
    ids: Ids = None,
    domain: Domain = None,
    sender: Sender = None,
    recipient: Recipient = None,
    message: Message = None,
    state: State = None,
    everything: Everything = False,
    reason: Reason = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Tell the senders with a failure report.")
    ] = True,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Take rows out of the queue for good; their senders get a failure report.

    Example: mss-gateway queue cancel --message '<20261121.1234@logiciel.example>' --reason "sent by mistake"
    """
    chosen = _selection(ids, domain, sender, recipient, message, state) | {"everything": everything}
    if not yes:
        if json:
            fail("With --json nobody is asked: give --yes", USAGE, reason="not-confirmed", as_json=True)
        count = call(config, "queue.count", chosen, as_json=False)
        told = "their senders are told" if report else "nobody is told"
        typer.confirm(f"Withdraw {_rows(count['rows'])} for good ({told})?", abort=True)
    _change(
        "queue.cancel",
        chosen | {"reason": reason, "report": report},
        config,
        json,
        "withdrawn",
    )


@app.command()
def stats(config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """Show what waits for each domain, and which domains are left alone until when, and why.

    Example: mss-gateway queue stats --json
    """
    result = call(config, "queue.stats", {}, as_json=json)
    if not json:
        from .queue_watch import page

        console().print(page(result, None))


@app.command()
def watch(
    interval: Annotated[float, typer.Option("--interval", min=0.1, help="Seconds between two looks.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Look once.")] = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Watch the queue of the running gateway until Ctrl-C: totals, rates, domains; plain lines without a terminal.

    With --json one document a line for each look.

    Example: mss-gateway queue watch --interval 5
    """
    from .queue_watch import run

    run(config, interval, once=once, as_json=json)


def span(seconds: float) -> str:
    """A length of time in one or two units: `12 s`, `4 min`, `3 h 05`, `2 d 04 h`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02}"
    return f"{whole // 86400} d {whole % 86400 // 3600:02} h"


def until(at: float, now: float) -> str:
    """A moment ahead as `in 4 min`, `now` when it has come."""
    return f"in {span(at - now)}" if at - now >= 1 else "now"
