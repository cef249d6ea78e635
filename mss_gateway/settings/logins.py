"""From the section [login] to the options of the identity room (ACC-2, ACC-3)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from mss_gateway.identity.locks import LockOptions, Network
from mss_gateway.identity.passwords import PasswordOptions
from mss_gateway.identity.scramkeys import ScramOptions
from mss_gateway.rules.slowdown import SlowdownOptions

from .explain import ConfigError
from .schema import File

STRONG = ((1, 47_104), (2, 19_456), (3, 12_288), (4, 9_216), (5, 7_168))
"""Passes and KiB of argon2id that OWASP calls equally strong; nothing below each pair is taken."""


@dataclass(frozen=True, slots=True)
class LoginOptions:
    """What [login] says, for each part of the identity room."""

    passwords: PasswordOptions
    scram: ScramOptions
    locks: LockOptions


def login_options(path: Path, file: File) -> LoginOptions:
    """Check and compose; raises `ConfigError`."""
    login = file.login
    if not any(login.argon2_time >= time and login.argon2_memory_kib >= memory for time, memory in STRONG):
        raise ConfigError(
            f"{path}: login.argon2_memory_kib = {login.argon2_memory_kib} is too weak with login.argon2_time ="
            f" {login.argon2_time}: raise one of them, to 19456 with 2, or 47104 with 1"
        )
    for name in ("account", "address"):
        first, longest, forget = (
            getattr(login, f"{name}_{key}") for key in ("first_wait", "longest_wait", "forget")
        )
        if not first <= longest <= forget:
            raise ConfigError(
                f"{path}: login.{name}_longest_wait = {longest:g} is not between login.{name}_first_wait ="
                f" {first:g} and login.{name}_forget = {forget:g}: a wait that is forgotten before its end stops nobody"
            )
    if login.everywhere_free < login.account_free:
        raise ConfigError(
            f"{path}: login.everywhere_free = {login.everywhere_free} is below login.account_free ="
            f" {login.account_free}: one address alone would lock the account for everybody; raise it"
        )
    pair = SlowdownOptions(
        login.account_free, login.account_first_wait, login.account_longest_wait, login.account_forget
    )
    everywhere = SlowdownOptions(
        login.everywhere_free, login.account_first_wait, login.account_longest_wait, login.account_forget
    )
    source = SlowdownOptions(
        login.address_free, login.address_first_wait, login.address_longest_wait, login.address_forget
    )
    return LoginOptions(
        PasswordOptions(
            login.argon2_time,
            login.argon2_memory_kib,
            login.hash_workers,
            login.hash_waiting,
            login.remember_password,
            login.hash_share,
        ),
        ScramOptions(login.scram, login.scram_iterations, login.scram_plus_tls13),
        LockOptions(pair, everywhere, source, tuple(_network(path, text) for text in login.exempt)),
    )


def _network(path: Path, text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError:
        raise ConfigError(
            f"{path}: login.exempt holds {text!r}, which is no address or network: write 192.0.2.10 or 192.0.2.0/24"
        ) from None
