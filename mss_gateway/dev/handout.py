"""What `mss-gateway dev` hands to a person or a script: ports, certificates, accounts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports of one gateway: 25 (on its `mta_host`), 587, 465, 143 and 993 (on 127.0.0.1) in their places."""

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
class Neighbour:
    """The independent operator: its domain, where it listens, and the folder with all it has received."""

    domain: str
    host: str
    port: int
    state: str


@dataclass(frozen=True, slots=True)
class Smarthost:
    """The server that takes alert mails, and the folder with all it has taken."""

    host: str
    port: int
    folder: str


@dataclass(frozen=True, slots=True)
class Handout:
    """Everything needed to talk to a sample gateway. `state` is its folder, `ca` the PEM bundle to trust.

    `own` is the gateway's certificate as an operator. Where the patients live at an operator of their own,
    `patient_operator` is that gateway's handout, and `neighbour`, `smarthost` and `nameserver` (`host:port`) are the
    rest of the trust space. `ops_url` and `ops_token` open the ops door, `provider` is the
    OpenID provider's issuer; "" where there is none.
    """

    ports: Ports
    ca: str
    operator: Credential
    app: Credential
    accounts: tuple[Account, ...]
    patients: Patients
    state: str
    config: str
    refused: dict[str, Credential] = field(default_factory=dict)
    own: Credential = Credential("", "")
    mta_host: str = "127.0.0.1"
    patient_operator: Handout | None = None
    neighbour: Neighbour | None = None
    smarthost: Smarthost | None = None
    nameserver: str = ""
    ops_url: str = ""
    ops_token: str = ""
    provider: str = ""

    @property
    def patient_side(self) -> Handout:
        """The gateway that hosts the patients: the other operator's, or this one."""
        return self.patient_operator or self

    def home(self, account: Account | Credential) -> Handout:
        """The gateway where this account, or this certificate of software, logs in."""
        return self if isinstance(account, Credential) or account in self.accounts else self.patient_side

    def account(self, kind: str) -> Account:
        """The first account of a type, at any of our gateways; raises LookupError when there is none."""
        others = self.patient_operator.accounts if self.patient_operator else ()
        for account in (*self.accounts, *others):
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
        """Read what `to_json` wrote; raises KeyError, TypeError or ValueError on anything else."""
        return cls._of(json.loads(text))

    @classmethod
    def _of(cls, data: dict[str, Any]) -> Handout:
        other, neighbour, smarthost = (data[name] for name in ("patient_operator", "neighbour", "smarthost"))
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
            own=Credential(**data["own"]),
            mta_host=data["mta_host"],
            patient_operator=cls._of(other) if other else None,
            neighbour=Neighbour(**neighbour) if neighbour else None,
            smarthost=Smarthost(**smarthost) if smarthost else None,
            nameserver=data["nameserver"],
            ops_url=data.get("ops_url", ""),
            ops_token=data.get("ops_token", ""),
            provider=data.get("provider", ""),
        )
