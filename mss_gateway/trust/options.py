"""What an operator may choose about the trust space."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

HARD = 0.0  # grace past a CRL's nextUpdate, in hours


@dataclass(frozen=True, slots=True)
class TrustOptions:
    """Files and policies of the trust space (TRU-1..4). Every file is PEM, CRLs may be DER as well.

    `ca_files` hold the root and the issuing CAs, nothing else is ever trusted; `crl_files` their CRLs,
    one for each CA. `certificate` holds our leaf and then its issuing CA; `client_certificate` and
    `client_key` are for the ports of mail clients and default to the same. `list_signer` is the DN that
    must have signed the trusted list, `list_signer_ca_files` its CAs (default: `ca_files`).
    `crl_grace_hours` 0 is the policy `hard`. `test_authorities` allows CAs that call themselves TEST
    (realms test and demo). `state` keeps the last good list; None keeps nothing.

    `list_url` and `crl_urls` are fetched every `list_every` and `crl_every` seconds, the list over HTTPS from a
    server whose certificate `fetch_ca_files` vouch for (default: `ca_files`); `list_file` None leaves it to them.
    `ocsp` asks the responder of each peer's certificate, or `ocsp_url`: `try` accepts on the CRL alone when it does not
    answer within `ocsp_timeout` seconds, `require` puts the peer off.
    """

    ca_files: tuple[Path, ...]
    crl_files: tuple[Path, ...]
    certificate: Path
    key: Path
    list_file: Path | None
    list_signer: str
    list_signer_ca_files: tuple[Path, ...] = ()
    client_certificate: Path | None = None
    client_key: Path | None = None
    state: Path | None = None
    crl_grace_hours: float = HARD
    test_authorities: bool = False
    st_is_l: bool = True
    list_alarm_hours: float = 24.0
    list_max_removed: float = 0.02  # share of the domains whose removal needs a confirmation (TRU-3)
    list_max_bytes: int = 32 * 1024 * 1024
    min_rsa_bits: int = 2048
    list_url: str = ""
    list_every: float = 4 * 3600.0
    crl_urls: tuple[str, ...] = ()
    crl_every: float = 3600.0
    fetch_ca_files: tuple[Path, ...] = ()
    fetch_timeout: float = 60.0
    ocsp: Literal["off", "try", "require"] = "off"
    ocsp_url: str = ""
    ocsp_timeout: float = 5.0
