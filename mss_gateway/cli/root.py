"""The commands without a noun, and the groups."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from . import (
    audit,
    backup,
    bal,
    channel,
    dev,
    directory,
    document,
    encryption,
    indicators,
    ins,
    login,
    mailbox,
    patient,
    person,
    queue,
    structure,
    trace,
    trust,
    undelete,
)
from . import autoconfig as autoconfiguring
from . import doctor as doctoring
from . import health as telling_health
from . import restore as restoring
from . import status as telling_status
from . import verify as verifying
from .call import DEFAULT_CONFIG, AsJson, Config, call, settings_of
from .output import console, fail, show_json
from .usage import MaskedGroup, name_of

EPILOG = (
    "Exit codes: 0 done · 1 the configuration cannot be used, or what was looked at is not well (`COMMAND --help` says "
    "so) · 2 wrong arguments · 3 not found · 4 conflict · 5 not allowed · 6 unavailable · 7 an import left lines out. "
    "The manual: docs/operating.md."
)

PANELS = {
    "Begin": ("init", "check-config", "serve", "dev"),
    "Mailboxes and people": ("bal", "person", "structure", "login", "mailbox"),
    "Patients and documents": ("patient", "ins", "channel", "document"),
    "Messages on their way": ("trace", "explain", "queue"),
    "Watching": ("doctor", "health", "status", "figures"),
    "Other operators, directory, mail clients": ("trust", "directory", "autoconfig"),
    "Keeping": ("backup", "restore", "restored", "verify", "undelete", "encryption"),
    "Traces as evidence": ("audit", "indicators"),
}
"""The commands in groups, in the order in which `--help` and docs/commands.md show them."""
_PANEL_OF = {name: panel for panel, names in PANELS.items() for name in names}
_ORDER = list(_PANEL_OF)


class RootGroup(MaskedGroup):
    """The commands in the order of their panels; one without a panel comes last."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of commands, as `--help` shows them."""
        names: list[str] = super().list_commands(ctx)
        return sorted(names, key=lambda name: _ORDER.index(name) if name in _PANEL_OF else len(_ORDER))


app = typer.Typer(
    cls=RootGroup,
    help="The mail gateway for MSSanté. A running gateway obeys the commands at once; `-c` names its configuration.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(bal.app, name="bal")
app.add_typer(person.app, name="person")
app.add_typer(structure.app, name="structure")
app.add_typer(login.app, name="login")
app.add_typer(mailbox.app, name="mailbox")
app.add_typer(patient.app, name="patient")
app.add_typer(channel.app, name="channel")
app.add_typer(ins.app, name="ins")
app.add_typer(document.app, name="document")
app.add_typer(queue.app, name="queue")
app.add_typer(audit.app, name="audit")
app.add_typer(trust.app, name="trust")
app.add_typer(directory.app, name="directory")
app.add_typer(undelete.app, name="undelete")
app.add_typer(dev.app, name="dev")
app.command()(trace.trace)
app.command()(indicators.indicators)
app.command()(doctoring.doctor)
app.command()(telling_health.health)
app.add_typer(backup.app, name="backup")
app.command()(restoring.restore)
app.command()(restoring.restored)
app.command()(verifying.verify)
app.command()(telling_status.status)
app.add_typer(encryption.app, name="encryption")
app.add_typer(autoconfiguring.app, name="autoconfig")


@app.callback()
def root() -> None:
    """The mail gateway for MSSanté."""


@app.command()
def serve(config: Config = DEFAULT_CONFIG) -> None:
    """Run the gateway until SIGTERM; SIGHUP reads certificates, CRLs and the trusted list again.

    Exit codes: 1 the configuration cannot be used · 6 a port, the store or the disk is not to be had.

    Example: mss-gateway serve -c /etc/mss-gateway/gateway.toml
    """
    from .serving import serve_settings

    serve_settings(settings_of(config))


@app.command(name="check-config")
def check_config(config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """Check the configuration, with every file that it names, and start nothing.

    Exit code 1 when it cannot be used: one sentence with file, key, value and remedy.

    Example: mss-gateway check-config -c /etc/mss-gateway/gateway.toml
    """
    settings = settings_of(config, as_json=json)
    from mss_gateway.trust.guard import Trust
    from mss_gateway.trust.refusals import TrustProblem

    try:
        trust = Trust(settings.trust)
    except TrustProblem as problem:
        fail(f"{config}: {problem.sentence}", 1, reason=problem.reason, as_json=json)
    alarms = [{"reason": alarm.reason, "sentence": alarm.sentence} for alarm in trust.alarms()]
    facts: dict[str, Any] = {
        "config": str(config),
        "hosted": sorted(settings.book.hosted),
        "trusted_domains": len(trust.trusted_list.domains),
        "alarms": alarms,
    }
    if json:
        show_json({"ok": True, **facts})
        return
    out = console()
    out.print(f"[bold green]✓[/] {escape(str(config))} can be used")
    out.print(f"  hosted domains   {escape(', '.join(facts['hosted']))}")
    out.print(f"  trusted domains  {facts['trusted_domains']}")
    for alarm in alarms:
        out.print(f"[yellow]![/] {escape(alarm['sentence'])}")


@app.command()
def figures(config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """Print what the running gateway has counted, in the form that Prometheus reads.

    Exit code 6 when no gateway is running.

    Example: mss-gateway figures | grep mss_queue
    """
    result = call(config, "figures", {}, as_json=json)
    if not json:
        typer.echo(result["text"], nl=False)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where the configuration goes.")] = Path("."),
    hostname: Annotated[str | None, typer.Option("--hostname", help="Our host name in mail.")] = None,
    domain: Annotated[
        list[str] | None, typer.Option("--domain", help="A domain hosted here; repeat.")
    ] = None,
    realm: Annotated[str | None, typer.Option("--realm", help="production, test or demo.")] = None,
    patients: Annotated[
        bool | None, typer.Option("--patients/--no-patients", help="Are we the patients' operator too?")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
    json: AsJson = False,
) -> None:
    """Write a commented gateway.toml with the first administrator's choices; asks for what is not given.

    Exit code 4 when there is one already.

    Example: mss-gateway init /etc/mss-gateway --hostname mx.clinique-exemple.mssante.fr --domain
    clinique-exemple.mssante.fr --realm production --no-patients
    """
    from .initial import Choices, write

    choices = Choices(
        hostname=hostname or typer.prompt("Host name of this gateway", default="mx.example.mssante.fr"),
        domains=domain or typer.prompt("Domains hosted here (separated by spaces)").split(),
        realm=realm or typer.prompt("Realm (production, test, demo)", default="production"),
        patient_hosted=patients
        if patients is not None
        else typer.confirm("Is this the patients' operator (Mon espace santé side)?", default=False),
    )
    path = write(folder, choices, force=force, as_json=json)
    if json:
        show_json({"config": str(path)})
        return
    console().print(f"[bold green]✓[/] wrote {escape(str(path))}")
    console().print(
        "  Next: put certificate, key, CA, CRL and trusted list where it says, then\n"
        f"  mss-gateway check-config -c {escape(str(path))}"
    )


@app.command()
def explain(
    message: Annotated[Path, typer.Argument(help="A message file (.eml).", exists=True, dir_okay=False)],
    from_: Annotated[str, typer.Option("--from", help="MAIL FROM; <> for the null sender.")],
    to: Annotated[list[str], typer.Option("--to", help="RCPT TO; repeat.")],
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Show the facts, every rule's verdict and the route of a message, touching nothing.

    Exit code 1 when the message would be refused.

    Example: mss-gateway explain report.eml --from automate@… --to 2850377284173…@patient.mssante.fr
    """
    from .explaining import brought, show

    data = message.read_bytes()
    if b"\r\n" not in data:
        data = data.replace(b"\n", b"\r\n")
    arguments = {**brought(config, data, as_json=json), "from": from_, "to": to}
    result = call(config, "explain", arguments, as_json=json)
    if not json:
        show(result)
    raise typer.Exit(0 if result["accepted"] else 1)


for _one in app.registered_commands:
    _one.rich_help_panel = _PANEL_OF.get(name_of(_one))
for _group in app.registered_groups:
    _group.rich_help_panel = _PANEL_OF.get(_group.name or "")
