"""`mss-gateway dev` and `dev tour`: runs the sample gateways and shows how to use them."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from rich.console import Console
from rich.markup import escape

from .handout import Handout
from .operators import Operators
from .operators import running as three_run
from .provider_names import ENDPOINTS
from .sample import HANDOUT, PreparationFailed, prepared
from .steps import STEPS
from .tour import Commands
from .tour import run as walk

if TYPE_CHECKING:
    from mss_gateway.settings import Settings

START_TIMEOUT = 60.0  # seconds
STOP_TIMEOUT = 40.0  # seconds; longer than the drain


Serve = Callable[["Settings", Callable[[object], None]], None]
"""Runs a gateway in this process until it is stopped, and calls back once it serves."""


def run_sample(state: Path, base_port: int, serve: Serve, *, as_json: bool) -> None:
    """Serve one gateway with both roles until stopped; once ready, print the handout as JSON or as instructions.

    Raises `PreparationFailed`.
    """
    settings, handout = prepared(state, base_port)
    serve(settings, lambda _: _hand_out(handout, as_json=as_json))


def run_space(state: Path, base_port: int, *, as_json: bool) -> None:
    """Run the three operators until SIGTERM or Ctrl-C; once they are ready, print the handout.

    Raises `PreparationFailed`, also when one of their processes ends.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with Operators(state, base_port) as operators:
            _hand_out(operators.handout, as_json=as_json)
            operators.watch()
    except KeyboardInterrupt:
        pass


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _hand_out(handout: Handout, *, as_json: bool) -> None:
    if as_json:
        print(handout.to_json(), flush=True)
    else:
        instructions(handout, Console(emoji=False, highlight=False, soft_wrap=True))


def instructions(handout: Handout, out: Console) -> None:
    """How to connect a mail client, for a person."""
    folder = Path(handout.state) if handout.patient_operator is None else Path(handout.state).parent
    count = "a gateway runs" if handout.patient_operator is None else "three operators run"
    out.print(f"[bold green]✓[/] {count} on loopback; everything of it is in {escape(str(folder))}\n")
    out.print(
        "[bold]In Thunderbird[/] (or any other mail client), import the CA, then set up one of the accounts:"
    )
    out.print(f"  CA            {escape(handout.ca)}")
    out.print("  Method        normal password")
    out.print("\n[bold]Professionals[/]")
    _accounts(handout, out)
    if handout.patient_operator is not None:
        out.print("\n[bold]Patients[/], at an operator of their own")
        _accounts(handout.patient_operator, out)
    states = handout.patients
    out.print(f"\n[bold]Patients to write to[/]  active         {states.active}")
    out.print(f"                      not activated  {states.not_activated}")
    out.print(f"                      closed         {states.closed}")
    out.print(f"\n[bold]Another operator[/]  {escape(handout.operator.domain)}")
    if handout.neighbour is not None:
        kinds = "answer  mdn  ko  later  slow  refuse  full  drop"
        out.print(f"  behaves as the name before the @ says: {kinds}")
        out.print(f"  keeps what it receives in {escape(handout.neighbour.state)}/mail")
    out.print(f"  its certificate, to deliver at {handout.mta_host} port {handout.ports.mta}:")
    out.print(f"  {escape(handout.operator.cert)}")
    if handout.smarthost is not None:
        out.print(f"[bold]Alert mails[/] to patients arrive in {escape(handout.smarthost.folder)}")
    if handout.ops_url:
        out.print(f"\n[bold]Status page[/] {escape(handout.ops_url)}")
        out.print(f"  any user name, password {escape(handout.ops_token)}")
    if handout.provider:
        out.print("\n[bold]Tokens[/] (XOAUTH2, OAUTHBEARER) of the sample person are given to whoever asks:")
        out.print(f"  curl --cacert {escape(handout.ca)} -d '' {escape(handout.provider)}{ENDPOINTS}/token")
    out.print(f"\n[bold]Commands[/] mss-gateway bal list -c {escape(handout.config)}")
    if handout.patient_operator is not None:
        out.print(f"         mss-gateway patient list -c {escape(handout.patient_operator.config)}")
    out.print("Ctrl-C ends it.")


def _accounts(handout: Handout, out: Console) -> None:
    ports = handout.ports
    out.print(f"  Incoming      IMAP  localhost port {ports.imaps} SSL/TLS   (or {ports.imap} STARTTLS)")
    out.print(
        f"  Outgoing      SMTP  localhost port {ports.submissions} SSL/TLS   (or {ports.submission} STARTTLS)"
    )
    for account in handout.accounts:
        out.print(f"  {account.type}  {escape(account.address)}")
        out.print(f"       login {escape(account.login)}   password {escape(account.password)}")


def run_tour(state: Path, base_port: int, commands: Commands, *, stay: bool, one: bool = False) -> int:
    """Walk through the tour against the sample space, started for it unless it runs already; returns its status."""
    out = Console(emoji=False, highlight=False, soft_wrap=True)
    running = _running(state)
    if running is not None:
        return walk(running, STEPS, out, commands)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        tour = _tour_of_one if one else _tour
        return tour(state, base_port, stay, out, commands)
    except KeyboardInterrupt:
        return 0
    except PreparationFailed as failed:
        out.print(f"[red]{escape(str(failed))}[/]")
        return 1


def _tour(state: Path, base_port: int, stay: bool, out: Console, commands: Commands) -> int:
    with Operators(state, base_port) as operators:
        status = walk(operators.handout, STEPS, out, commands)
        if stay and status == 0:
            instructions(operators.handout, out)
            operators.watch()
        return status


def _tour_of_one(state: Path, base_port: int, stay: bool, out: Console, commands: Commands) -> int:
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [sys.executable, "-m", "mss_gateway", "dev", "--one", "--json"]
    command += ["--state", str(state), "--base-port", str(base_port)]
    with (state / "gateway.log").open("ab") as log:
        gateway = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
    try:
        assert gateway.stdout is not None
        line = gateway.stdout.readline().decode()
        if not line:
            last = _tail(state / "gateway.log")
            raise PreparationFailed(f"the gateway did not start; {state / 'gateway.log'} says why: {last}")
        handout = Handout.read(line)
        status = walk(handout, STEPS, out, commands)
        if stay and status == 0:
            instructions(handout, out)
            return gateway.wait()
        return status
    finally:
        gateway.terminate()
        gateway.wait(STOP_TIMEOUT)


def _running(state: Path) -> Handout | None:
    """The handout of what serves this state folder now."""
    try:
        handout = Handout.read((state / HANDOUT).read_text(encoding="utf-8"))
        if handout.patient_operator is not None:
            return handout if three_run(state) else None
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.connect(str(state.absolute() / "control.sock"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return handout


def _tail(path: Path, lines: int = 5) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
