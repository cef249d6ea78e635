"""The provider's public keys: read from a JWK set, weak and foreign ones left out, found by `kid` (RFC 7517)."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

MOST_KEYS = 100
"""Keys of one set that are looked at."""

MOST_CANDIDATES = 4
"""Keys that one signature is tried with, when several have the same `kid` or the token names none."""

WEAKEST_RSA, LARGEST_RSA = 2048, 8192
"""Bits of an RSA modulus that is used; a larger one would cost too much at every login."""

_PUBLIC = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y")}
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


class NotAKeySet(Exception):
    """What should be a JWK set is none, or holds no key that can be used."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One key: its `kid` and pinned `alg`, empty when the set names none, and its curve for EC."""

    kid: str
    alg: str
    curve: str
    key: RSAKey | ECKey

    def fits(self, algorithm: str) -> bool:
        """May this key have made a signature of this algorithm?"""
        if self.alg and self.alg != algorithm:
            return False
        return _CURVES.get(algorithm, "") == self.curve


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of one set, and how many were left out as weak or unreadable."""

    keys: tuple[PublicKey, ...]
    left_out: int = 0

    def candidates(self, kid: str, algorithm: str) -> list[PublicKey]:
        """The keys that a signature is tried with, few; without a `kid` all that fit."""
        found = [one for one in self.keys if (not kid or one.kid == kid) and one.fits(algorithm)]
        return found[:MOST_CANDIDATES]


def read_keys(data: bytes) -> KeySet:
    """Read a JWK set; raises `NotAKeySet`. Keys for encryption are passed over."""
    try:
        told = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise NotAKeySet from None
    entries = told.get("keys") if isinstance(told, dict) else None
    if not isinstance(entries, list):
        raise NotAKeySet
    signing = [one for one in entries[:MOST_KEYS] if _signs(one)]
    keys = tuple(_usable(signing))
    if not keys:
        raise NotAKeySet
    return KeySet(keys, len(signing) - len(keys))


def _signs(entry: object) -> bool:
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return False
    operations = entry.get("key_ops", ["verify"])
    return isinstance(operations, list) and "verify" in operations


def _usable(entries: list[Mapping[str, Any]]) -> Iterator[PublicKey]:
    for entry in entries:
        key = _imported(entry)
        kid, alg = entry.get("kid", ""), entry.get("alg", "")
        if key is None or not isinstance(kid, str) or not isinstance(alg, str):
            continue
        yield PublicKey(kid, alg, str(entry["crv"]) if isinstance(key, ECKey) else "", key)


def _imported(entry: Mapping[str, Any]) -> RSAKey | ECKey | None:
    """The public half alone, whatever else the set gives away."""
    names = _PUBLIC.get(str(entry.get("kty")))
    if names is None or not all(isinstance(entry.get(name), str) for name in names):
        return None
    public = {name: entry[name] for name in names}
    try:
        if public["kty"] == "EC":
            return ECKey.import_key(public) if public["crv"] in _CURVES.values() else None
        # Looked at before the library sees them: it would warn on standard error, and take any size.
        if len(public["e"]) > 8 or not WEAKEST_RSA <= _bits(public["n"]) <= LARGEST_RSA:
            return None
        return RSAKey.import_key(public)
    except (JoseError, ValueError, TypeError):
        return None


def _bits(number: str) -> int:
    """The size of a base64url number; raises ValueError."""
    if len(number) > LARGEST_RSA // 4:
        return len(number) * 6
    return int.from_bytes(urlsafe_b64decode(number + "=" * (-len(number) % 4))).bit_length()
