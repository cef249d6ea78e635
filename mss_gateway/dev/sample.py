"""The sample trust space on disk: certificates, list, configurations, accounts; for one gateway or three operators."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import configuration as toml
from .configuration import LOOPBACK, NEIGHBOURS, OURS, THEIRS, Layout, configuration, ports_of_one
from .handout import Account, Handout, Neighbour, Patients, Ports, Smarthost
from .neighbour_identity import Identity
from .space import OTHER, PATIENT_OPERATOR, Space, make_space

if TYPE_CHECKING:
    from mss_gateway.settings import Settings

PATIENT_ACTIVE = "285037728417346"  # published test numbers (domain 14.5)
PATIENT_NOT_ACTIVATED = "279035121518989"
PATIENT_CLOSED = "275126322074974"
HANDOUT = "handout.json"
CONFIG = "gateway.toml"

__all__ = ["HANDOUT", "PreparationFailed", "configuration", "prepare", "prepare_three", "prepared", "zone_of"]


class PreparationFailed(Exception):
    """The sample space could not be made; the text says why."""


def prepare(state: Path, base_port: int) -> Handout:
    """Make or take up everything of one gateway with both roles: certificates, list, configuration, mailboxes."""
    from mss_gateway.settings import load

    state = _folder(state)
    space = make_space(state)
    config = state / CONFIG
    config.write_text(configuration(space, base_port), encoding="utf-8")
    accounts = _accounts(space, _passwords(state / HANDOUT))
    handout = _handout(space, ports_of_one(base_port), config, accounts, own=space.gateway)
    asyncio.run(_provision(load(config, {}), space, handout))
    handout.write(state / HANDOUT)
    return handout


def prepare_three(state: Path, base_port: int) -> tuple[Space, Handout]:
    """The same for three operators, without the mailboxes: those are made once the gateways run."""
    state = _folder(state)
    space = make_space(state, patient_operator=PATIENT_OPERATOR)
    layout = Layout(base_port)
    token = _token(Path(space.folder) / toml.OPS_TOKEN)
    ours, theirs, neighbour = (_folder(state / name) for name in ("professional", "patients", "neighbour"))
    (ours / CONFIG).write_text(toml.professional(space, layout), encoding="utf-8")
    (theirs / CONFIG).write_text(toml.patients(space, layout), encoding="utf-8")
    operator, nameserver = space.operator, f"{LOOPBACK}:{layout.nameserver}"
    Identity(operator.domain, NEIGHBOURS, base_port, operator.cert, operator.key, space.ca, nameserver).write(
        neighbour
    )
    accounts = _accounts(space, _passwords(state / HANDOUT))
    of_patients = tuple(account for account in accounts if account.type == "PAT")
    of_ours = tuple(account for account in accounts if account.type != "PAT")
    handout = _handout(
        space,
        layout.professional,
        ours / CONFIG,
        of_ours,
        own=space.gateway,
        mta_host=OURS,
        patient_operator=_handout(
            space,
            layout.patients,
            theirs / CONFIG,
            of_patients,
            own=space.patient_operator,
            mta_host=THEIRS,
            nameserver=nameserver,
        ),
        neighbour=Neighbour(operator.domain, NEIGHBOURS, base_port, str(neighbour)),
        smarthost=Smarthost(LOOPBACK, layout.smarthost, str(state / "smarthost")),
        nameserver=nameserver,
        ops_url=f"https://localhost:{layout.ops}/status",
        ops_token=token,
        provider=toml.issuer_of(layout),
    )
    handout.write(state / HANDOUT)
    return space, handout


def zone_of(space: Space) -> dict[str, dict[str, list[str]]]:
    """What the name server of the three operators says."""
    from .dns import mail_zone

    patients = space.patient_operator.domain
    return mail_zone(
        {
            f"mx.{space.hosted_domain}": (OURS, (space.hosted_domain,)),
            f"mx.{patients}": (THEIRS, (patients, space.patient_domain)),
            f"mx.{space.operator.domain}": (NEIGHBOURS, (space.operator.domain, OTHER)),
        }
    )


def _folder(path: Path) -> Path:
    path = path.absolute()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _token(path: Path) -> str:
    """The token of the ops door; kept from run to run, so that a browser may remember it."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24) + "\n", encoding="ascii")
    return path.read_text(encoding="ascii").strip()


def _passwords(path: Path) -> Mapping[str, str]:
    """Accounts keep their passwords from run to run, since the stores do."""
    try:
        before = Handout.read(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    known = (*before.accounts, *before.patient_side.accounts)
    return {account.login: account.password for account in known}


def _accounts(space: Space, known: Mapping[str, str]) -> tuple[Account, ...]:
    def account(address: str, login: str, kind: str) -> Account:
        return Account(address, login, known.get(login) or secrets.token_urlsafe(12), kind)

    domain = space.hosted_domain
    medecin, patient = f"medecin.exemple@{domain}", f"{PATIENT_ACTIVE}@{space.patient_domain}"
    return (
        account(medecin, medecin, "PER"),
        account(f"secretariat@{domain}", "membre.un", "ORG"),
        account(f"secretariat@{domain}", "membre.deux", "ORG"),
        account(f"cabinet@{domain}", "membre.cabinet", "CAB"),
        account(patient, patient, "PAT"),
    )


def _handout(space: Space, ports: Ports, config: Path, accounts: tuple[Account, ...], **more: Any) -> Handout:
    states = (PATIENT_ACTIVE, PATIENT_NOT_ACTIVATED, PATIENT_CLOSED)
    return Handout(
        ports=ports,
        ca=space.ca,
        operator=space.operator,
        app=space.app,
        accounts=accounts,
        patients=Patients(*(f"{ins}@{space.patient_domain}" for ins in states)),
        state=str(config.parent),
        config=str(config),
        refused=dict(space.refused),
        **more,
    )


def prepared(state: Path, base_port: int) -> tuple[Settings, Handout]:
    """What `prepare` does, in a process of its own, so that the gateway does not carry it in its memory.

    Raises `PreparationFailed` with what that process said.
    """
    from mss_gateway.settings import load

    command = [sys.executable, "-m", "mss_gateway.dev.sample", str(state), str(base_port)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PreparationFailed((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    handout = Handout.read(done.stdout.splitlines()[-1])
    return load(Path(handout.config), {}), handout


async def _provision(settings: Settings, space: Space, handout: Handout) -> None:
    from mss_gateway.app.tables import operations

    from .provision import carry_out, mailboxes, patients

    async with operations(settings) as table:

        async def ask(operation: str, arguments: Mapping[str, Any]) -> object:
            return await table[operation](dict(arguments))

        await carry_out([*mailboxes(space, handout), *patients(handout)], ask)


def main() -> None:
    """Prepare the folder and port given as arguments, and print the handout; see `prepared`."""
    from mss_gateway.ops.operation import OperationRefused
    from mss_gateway.ports.store import StoreError
    from mss_gateway.settings import ConfigError

    try:
        print(prepare(Path(sys.argv[1]), int(sys.argv[2])).to_json())
    except (OSError, StoreError, ConfigError, OperationRefused) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
