"""`mss-gateway dev` and `dev tour`: runs the sample gateway and shows how to use it."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from mss_gateway.settings import Settings

from .handout import Handout
from .sample import HANDOUT, prepared
from .steps import STEPS
from .tour import run as walk

START_TIMEOUT = 60.0  # seconds
STOP_TIMEOUT = 40.0  # seconds; longer than the drain


Serve = Callable[[Settings, Callable[[object], None]], None]
"""Runs a gateway in this process until it is stopped, and calls back once it serves."""


def run_sample(state: Path, base_port: int, serve: Serve, *, as_json: bool) -> None:
    """Serve until stopped; once ready, print the handout as JSON or as instructions.

    Raises `PreparationFailed`.
    """
    settings, handout = prepared(state, base_port)

    def ready(_: object) -> None:
        if as_json:
            print(handout.to_json(), flush=True)
        else:
            instructions(handout, Console(highlight=False))

    serve(settings, ready)


def instructions(handout: Handout, out: Console) -> None:
    """How to connect a mail client, for a person."""
    ports = handout.ports
    out.print(
        f"[bold green]✓[/] a gateway runs on 127.0.0.1; everything of it is in {escape(handout.state)}\n"
    )
    out.print(
        "[bold]In Thunderbird[/] (or any other mail client), import the CA, then set up one of the accounts:"
    )
    out.print(f"  CA            {escape(handout.ca)}")
    out.print(f"  Incoming      IMAP  localhost port {ports.imaps} SSL/TLS   (or {ports.imap} STARTTLS)")
    out.print(
        f"  Outgoing      SMTP  localhost port {ports.submissions} SSL/TLS   (or {ports.submission} STARTTLS)"
    )
    out.print("  Method        normal password\n")
    for account in handout.accounts:
        out.print(f"  {account.type}  {escape(account.address)}")
        out.print(f"       login {escape(account.login)}   password {escape(account.password)}")
    out.print("\n[bold]Other operators[/] deliver on port " + str(ports.mta) + " with a client certificate:")
    out.print(f"  {escape(handout.operator.domain)}   {escape(handout.operator.cert)}")
    out.print(f"[bold]Patients[/] active {handout.patients.active}")
    out.print(f"         not activated {handout.patients.not_activated}")
    out.print(f"         closed {handout.patients.closed}")
    out.print(f"\n[bold]Commands[/] mss-gateway bal list -c {escape(handout.config)}")
    out.print("Ctrl-C ends it.")


def run_tour(state: Path, base_port: int, *, stay: bool) -> int:
    """Walk through the tour against the sample gateway, started for it unless it runs already."""
    out = Console(highlight=False)
    running = _running(state)
    if running is not None:
        return walk(running, STEPS, out)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [sys.executable, "-m", "mss_gateway", "dev", "--json"]
    command += ["--state", str(state), "--base-port", str(base_port)]
    with (state / "gateway.log").open("ab") as log:
        gateway = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
    try:
        assert gateway.stdout is not None
        line = gateway.stdout.readline().decode()
        if not line:
            out.print(f"the gateway did not start; {escape(str(state / 'gateway.log'))} says why:")
            out.print(escape(_tail(state / "gateway.log")))
            return gateway.wait(START_TIMEOUT) or 1
        handout = Handout.read(line)
        status = walk(handout, STEPS, out)
        if stay and status == 0:
            instructions(handout, out)
            return gateway.wait()
        return status
    except KeyboardInterrupt:
        return 0
    finally:
        gateway.terminate()
        gateway.wait(STOP_TIMEOUT)


def _running(state: Path) -> Handout | None:
    """The handout of a gateway that serves this state folder now."""
    try:
        handout = Handout.read((state / HANDOUT).read_text(encoding="utf-8"))
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.connect(str(state.absolute() / "control.sock"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return handout


def _tail(path: Path, lines: int = 5) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
