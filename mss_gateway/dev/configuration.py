"""The configurations of the sample gateways, and where each one listens."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .handout import Credential, Ports
from .provider_names import CLIENT, REALM
from .publisher import CRLS, LIST
from .space import OTHER, Space

NOBODY = 9
"""A port where nobody answers."""
LOOPBACK = "127.0.0.1"
OURS, THEIRS, NEIGHBOURS = "127.0.0.2", "127.0.0.3", "127.0.0.4"
"""Addresses of the operators' MX hosts: an MX record names no port, so that they share one port."""

OPS_TOKEN = "ops-token"
"""File with the token of our ops door, in the folder of the trust space."""

PROBE = "supervision"
"""Local part of the mailbox of the doctor's round trip."""

PORTS = 15
"""Ports in a row that the trust space of three operators takes, the first one on several addresses."""

ALERT_SENDER = "ne-pas-repondre@operateur-patients.example"
ALERT_LINK = "https://messagerie.operateur-patients.example/"


def ports_of_one(base: int) -> Ports:
    """The five doors of a gateway whose first port is `base`."""
    return Ports(base, base + 1, base + 2, base + 3, base + 4)


@dataclass(frozen=True, slots=True)
class Layout:
    """Who listens where when there are three operators; all from one base port."""

    base: int

    @property
    def professional(self) -> Ports:
        """Our doors."""
        return ports_of_one(self.base)

    @property
    def patients(self) -> Ports:
        """The doors of the patients' operator; the first one is on its own address."""
        first = self.base + 5
        return Ports(self.base, first, first + 1, first + 2, first + 3)

    @property
    def nameserver(self) -> int:
        """DNS, UDP and TCP."""
        return self.base + 9

    @property
    def smarthost(self) -> int:
        """Where alert mails are taken."""
        return self.base + 10

    @property
    def list_publisher(self) -> int:
        """Where the trusted list is published, over HTTPS."""
        return self.base + 11

    @property
    def crl_publisher(self) -> int:
        """Where the CRLs are published, over HTTP."""
        return self.base + 12

    @property
    def ops(self) -> int:
        """Our ops door, over HTTPS."""
        return self.base + 13

    @property
    def provider(self) -> int:
        """The OpenID provider, over HTTPS."""
        return self.base + 14


def configuration(space: Space, base_port: int) -> str:
    """The TOML of the one gateway that has both roles."""
    ports = asdict(ports_of_one(base_port))
    listen = {door: [f"{LOOPBACK}:{port}"] for door, port in ports.items()}
    # No neighbour runs beside it and no question leaves this machine: what it sends on waits in the outbox.
    domains = (space.operator.domain, OTHER, *(one.domain for one in space.refused.values()))
    routes = json.dumps(sorted({f"{domain}={LOOPBACK}:{NOBODY}" for domain in domains if domain}))
    more = f'\n[relay]\nnameservers = ["{LOOPBACK}:{NOBODY}"]\nroutes = {routes}\n'
    probe = f"{PROBE}@{space.hosted_domain}"
    return _toml(space, space.hosted_domain, space.gateway, listen, patients=True, more=more, probe=probe)


def professional(space: Space, layout: Layout) -> str:
    """The TOML of the professionals' operator: it hosts BALs and relays to the patients' operator."""
    listen = _listen(layout.professional, OURS)
    listen["mta"].insert(0, f"{LOOPBACK}:{layout.base}")
    published = (
        f'list_url = "https://localhost:{layout.list_publisher}/{LIST}"\n'
        f'crl_urls = ["http://localhost:{layout.crl_publisher}/{CRLS}"]'
    )
    return _toml(
        space,
        space.hosted_domain,
        space.gateway,
        listen,
        patients=False,
        published=published,
        more=_relay(layout) + _ops(space, layout) + _oidc(space, layout),
        probe=f"{PROBE}@{space.hosted_domain}",
    )


def _ops(space: Space, layout: Layout) -> str:
    """The ops door; `localhost` is what the sample certificates are good for."""
    return f"""
[http]
listen = ["{LOOPBACK}:{layout.ops}"]
url = "https://localhost:{layout.ops}"
imap_host = "localhost"
submission_host = "localhost"
admin_token_file = {json.dumps(str(Path(space.folder) / OPS_TOKEN))}
"""


def issuer_of(layout: Layout) -> str:
    """The OpenID provider by its name."""
    return f"https://localhost:{layout.provider}{REALM}"


def _oidc(space: Space, layout: Layout) -> str:
    """Tokens of the throw-away provider open mailboxes (ACC-2)."""
    return f"""
[oidc]
mode = "jwks"
issuer = "{issuer_of(layout)}"
clients = ["{CLIENT}"]
ca = [{json.dumps(space.ca)}]
"""


def patients(space: Space, layout: Layout) -> str:
    """The TOML of the patients' operator: it hosts patients, and one technical domain of its own."""
    more = (
        _relay(layout)
        + f"""
[alerts]
mode = "each"
smarthost = "{LOOPBACK}:{layout.smarthost}"
sender = "{ALERT_SENDER}"
security = "none"
link = "{ALERT_LINK}"
"""
    )
    certificate = space.patient_operator
    listen = _listen(layout.patients, THEIRS)
    return _toml(space, certificate.domain, certificate, listen, patients=True, more=more)


def _listen(ports: Ports, mta_host: str) -> dict[str, list[str]]:
    return {
        door: [f"{mta_host if door == 'mta' else LOOPBACK}:{port}"] for door, port in asdict(ports).items()
    }


def _relay(layout: Layout) -> str:
    return f"""
[relay]
port = {layout.base}
nameservers = ["{LOOPBACK}:{layout.nameserver}"]

[queue]
retry_first = 0.5
"""


def _toml(
    space: Space,
    hosted: str,
    certificate: Credential,
    listen: Mapping[str, Sequence[str]],
    *,
    patients: bool,
    published: str = "",
    more: str = "",
    probe: str = "",
) -> str:
    """The realm is production, so that a wrong INS key is refused. `published`: where lists are fetched, not read."""

    def text(value: object) -> str:
        return json.dumps(value, ensure_ascii=False)

    lists = published or f"crl = [{text(space.crls)}]\nlist = {text(space.trusted_list)}"
    doors = "\n".join(f"{door} = {text(places)}" for door, places in listen.items())
    return f"""# A sample gateway of `mss-gateway dev`: throw-away, loopback only.
[gateway]
hostname = {text(f"mx.{hosted}")}
realm = "production"
state = "."
software_nil = "ESSAI1"
probe = {text(probe)}

[domains]
hosted = [{text(hosted)}]
patient_domain = {text(space.patient_domain)}
patient_hosted = {text(patients)}

[listen]
{doors}

[tls]
certificate = {text(certificate.cert)}
key = {text(certificate.key)}

[trust]
ca = [{text(space.ca)}]
{lists}
list_signer = {text(space.list_signer)}
test_authorities = true

[limits]
connections_per_address = 1000
imap_connections_per_address = 5000

[log]
format = "console"
{more}"""
