"""What `mss-gateway dev` hands to a person or a script: ports, certificates, accounts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports on 127.0.0.1: 25, 587, 465, 143 and 993 in their places."""

    mta: int
    submission: int
    submissions: int
    imap: int
    imaps: int


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate with its key (PEM file paths), and the domain or address that it speaks for."""

    cert: str
    key: str
    domain: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """A login of the sample space; `address` is the mailbox that it opens first."""

    address: str
    login: str
    password: str
    type: str


@dataclass(frozen=True, slots=True)
class Patients:
    """One sample patient address in each state (PAT-1)."""

    active: str
    not_activated: str
    closed: str


@dataclass(frozen=True, slots=True)
class Handout:
    """Everything needed to talk to the sample gateway. `state` is its folder, `ca` the PEM bundle to trust."""

    ports: Ports
    ca: str
    operator: Credential
    app: Credential
    accounts: tuple[Account, ...]
    patients: Patients
    state: str
    config: str
    refused: dict[str, Credential] = field(default_factory=dict)

    def account(self, kind: str) -> Account:
        """The first account of a type; raises LookupError when there is none."""
        for account in self.accounts:
            if account.type == kind:
                return account
        raise LookupError(kind)

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    def write(self, path: Path) -> None:
        """Keep it for other commands; the passwords in it are throw-away, the file is private all the same."""
        path.touch(mode=0o600)
        path.write_text(self.to_json() + "\n", encoding="utf-8")

    @classmethod
    def read(cls, text: str) -> Handout:
        """Read what `to_json` wrote; raises KeyError or ValueError on anything else."""
        data: dict[str, Any] = json.loads(text)
        return cls(
            ports=Ports(**data["ports"]),
            ca=data["ca"],
            operator=Credential(**data["operator"]),
            app=Credential(**data["app"]),
            accounts=tuple(Account(**account) for account in data["accounts"]),
            patients=Patients(**data["patients"]),
            state=data["state"],
            config=data["config"],
            refused={name: Credential(**item) for name, item in data["refused"].items()},
        )
