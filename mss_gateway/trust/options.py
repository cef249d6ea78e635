"""What an operator may choose about the trust space."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
    """

    ca_files: tuple[Path, ...]
    crl_files: tuple[Path, ...]
    certificate: Path
    key: Path
    list_file: Path
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
