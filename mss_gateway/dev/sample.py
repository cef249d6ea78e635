"""The sample gateway: trust space, configuration, mailboxes of each type, patients in each state."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mss_gateway.app.parts import operations
from mss_gateway.ops.operation import CONFLICT, OperationRefused
from mss_gateway.ports.store import StoreError
from mss_gateway.settings import ConfigError, Settings, load
from mss_gateway.trust import dn

from .handout import Account, Credential, Handout, Patients, Ports
from .space import Space, make_space

NATIONAL_ID = "899700366240"  # published sample of Pro Santé Connect (domain 9.2); its key holds
STRUCTURE = "1690000019"
PATIENT_ACTIVE = "285037728417346"  # published test numbers (domain 14.5)
PATIENT_NOT_ACTIVATED = "279035121518989"
PATIENT_CLOSED = "275126322074974"
HANDOUT = "handout.json"


def prepare(state: Path, base_port: int) -> Handout:
    """Make or take up everything in the state folder: certificates, list, configuration, mailboxes."""
    state = state.absolute()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    space = make_space(state)
    config = state / "gateway.toml"
    config.write_text(configuration(space, base_port), encoding="utf-8")
    settings = load(config, {})
    handout = _handout(state, space, base_port, config)
    asyncio.run(_provision(settings, space, handout))
    handout.write(state / HANDOUT)
    return handout


def configuration(space: Space, base_port: int) -> str:
    """The TOML of the sample gateway. The realm is production, so that a wrong INS key is refused."""

    def text(value: object) -> str:
        return json.dumps(value, ensure_ascii=False)

    listen = "\n".join(f'{door} = ["127.0.0.1:{port}"]' for door, port in asdict(_ports(base_port)).items())
    return f"""# The sample gateway of `mss-gateway dev`: throw-away, loopback only.
[gateway]
hostname = {text(f"mx.{space.hosted_domain}")}
realm = "production"
state = "."

[domains]
hosted = [{text(space.hosted_domain)}]
patient_domain = {text(space.patient_domain)}
patient_hosted = true

[listen]
{listen}

[tls]
certificate = {text(space.gateway.cert)}
key = {text(space.gateway.key)}

[trust]
ca = [{text(space.ca)}]
crl = [{text(space.crls)}]
list = {text(space.trusted_list)}
list_signer = {text(space.list_signer)}
test_authorities = true

[limits]
connections_per_address = 1000
imap_connections_per_address = 5000

[log]
format = "console"
"""


def _ports(base: int) -> Ports:
    return Ports(base, base + 1, base + 2, base + 3, base + 4)


def _handout(state: Path, space: Space, base_port: int, config: Path) -> Handout:
    """Accounts keep their passwords from run to run, since the store does."""
    known: dict[str, str] = {}
    try:
        before = Handout.read((state / HANDOUT).read_text(encoding="utf-8"))
        known = {account.login: account.password for account in before.accounts}
    except (OSError, ValueError, KeyError, TypeError):
        known = {}

    def account(address: str, login: str, kind: str) -> Account:
        return Account(address, login, known.get(login) or secrets.token_urlsafe(12), kind)

    domain, patients = space.hosted_domain, space.patient_domain
    medecin = f"medecin.exemple@{domain}"
    active = f"{PATIENT_ACTIVE}@{patients}"
    return Handout(
        ports=_ports(base_port),
        ca=space.ca,
        operator=space.operator,
        app=space.app,
        accounts=(
            account(medecin, medecin, "PER"),
            account(f"secretariat@{domain}", "membre.un", "ORG"),
            account(f"secretariat@{domain}", "membre.deux", "ORG"),
            account(f"cabinet@{domain}", "membre.cabinet", "CAB"),
            account(active, active, "PAT"),
        ),
        patients=Patients(active, f"{PATIENT_NOT_ACTIVATED}@{patients}", f"{PATIENT_CLOSED}@{patients}"),
        state=str(state),
        config=str(config),
        refused={name: _plain(credential) for name, credential in space.refused.items()},
    )


def _plain(credential: Credential) -> Credential:
    return Credential(credential.cert, credential.key, credential.domain, credential.address)


def prepared(state: Path, base_port: int) -> tuple[Settings, Handout]:
    """The same in a process of its own, so that the gateway does not carry the making of keys in its memory.

    Raises `PreparationFailed` with what that process said.
    """
    command = [sys.executable, "-m", "mss_gateway.dev.sample", str(state), str(base_port)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PreparationFailed((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    handout = Handout.read(done.stdout.splitlines()[-1])
    return load(Path(handout.config), {}), handout


class PreparationFailed(Exception):
    """The sample space could not be made; the text says why."""


async def _provision(settings: Settings, space: Space, handout: Handout) -> None:
    async with operations(settings) as table:

        async def ask(operation: str, **arguments: Any) -> bool:
            try:
                await table[operation]({"actor": "dev", **arguments})
            except OperationRefused as refused:
                if refused.exit_code != CONFLICT:
                    raise
                return False
            return True

        common = {"structure": STRUCTURE, "responsible": NATIONAL_ID}
        per = handout.account("PER")
        await ask(
            "bal.add",
            address=per.address,
            type="PER",
            display="Médecin Exemple",
            national_id=NATIONAL_ID,
            login=per.login,
            password=per.password,
        )
        names = {"ORG": "Secrétariat Exemple", "CAB": "Cabinet Exemple"}
        for account in handout.accounts:
            if account.type not in names:
                continue
            await ask(
                "bal.add", address=account.address, type=account.type, display=names[account.type], **common
            )
            await ask("bal.member", address=account.address, login=account.login, password=account.password)
        await ask(
            "bal.add",
            address=handout.app.address,
            type="APP",
            display="Automate des résultats",
            certificate_dn=space.app_dn,
            certificate_key=dn.key_of_text(space.app_dn),
            **common,
        )
        patient = handout.account("PAT")
        await ask("patient.add", ins=patient.address, display="Patiente Exemple", password=patient.password)
        await ask("patient.add", ins=handout.patients.not_activated, display="Patiente Non Activée")
        if await ask("patient.add", ins=handout.patients.closed, display="Patiente Clôturée"):
            await ask("patient.close", ins=handout.patients.closed, reason="opposed")


def main() -> None:
    """Prepare the folder and port given as arguments, and print the handout; see `prepared`."""
    try:
        print(prepare(Path(sys.argv[1]), int(sys.argv[2])).to_json())
    except (OSError, StoreError, ConfigError, OperationRefused) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
