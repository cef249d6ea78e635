"""The keys that SCRAM keeps beside the argon2id hash, sealed, and those that are made up for nobody (ACC-2, ACC-3).

Whoever has StoredKey guesses passwords at the price of PBKDF2, far below that of argon2id. So they are sealed with the
gateway's secret key, which is not in the store: a stolen store or backup alone is worth no more than argon2id.
"""

from __future__ import annotations

import hmac
import os
from binascii import Error, a2b_base64, b2a_base64
from dataclasses import dataclass
from hashlib import pbkdf2_hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mss_gateway.ports.identity import ScramKeys
from mss_gateway.protocol.saslprep import saslprep
from mss_gateway.protocol.scram import derive

_NONCE = 12
_SALT = 16


@dataclass(frozen=True, slots=True)
class ScramOptions:
    """Whether SCRAM is offered, and how often its hash is repeated (RFC 7677 section 4 asks for 15,000 or more).

    The client computes it at each login, we only when a password is set; Cyrus SASL refuses more than 65,536.
    `plus_tls13`: see
    `pipeline.sasl_mechanisms.offered`.
    """

    offered: bool = True
    iterations: int = 65_536
    plus_tls13: bool = False


class ScramVault:
    """Makes, seals and opens keys. `secret` is the gateway's own; without it nothing sealed is ever opened again."""

    def __init__(self, secret: bytes, options: ScramOptions | None = None) -> None:
        self.options = options or ScramOptions()
        self._salts = hmac.digest(secret, b"login salts", "sha256")
        self._seal = AESGCM(hmac.digest(secret, b"login keys", "sha256"))
        self._decoy = self.seal(self.nobody("nobody"), "")

    def salt(self, login: str) -> bytes:
        """The salt of a login, whether anybody has it or not, and whatever the password: it tells nothing (ACC-3)."""
        return hmac.digest(self._salts, login.lower().encode(), "sha256")[:_SALT]

    def make(self, password: str, login: str) -> ScramKeys | None:
        """The keys of a password, as slow as `iterations` say; None when SASLprep forbids it."""
        prepared = saslprep(password)
        if not prepared:
            return None
        salt, iterations = self.salt(login), self.options.iterations
        keys = derive(pbkdf2_hmac("sha256", prepared.encode(), salt, iterations))
        return ScramKeys(salt, iterations, keys.stored, keys.server)

    def nobody(self, login: str) -> ScramKeys:
        """Keys that no password fits, always the same for a login."""
        mark = hmac.digest(self._salts, b"nobody" + login.lower().encode(), "sha512")
        return ScramKeys(self.salt(login), self.options.iterations, mark[:32], mark[32:])

    def seal(self, keys: ScramKeys, password_hash: str) -> str:
        """One text to store; it opens only beside the hash of the same password."""
        nonce = os.urandom(_NONCE)
        head = f"{keys.iterations}${_text(keys.salt)}"
        bound = f"{head}${password_hash}".encode()
        sealed = self._seal.encrypt(nonce, keys.stored_key + keys.server_key, bound)
        return f"{head}${_text(nonce + sealed)}"

    def open(self, stored: str, password_hash: str) -> ScramKeys | None:
        """The keys, None when they are missing, of another password, made with other iterations, or not ours."""
        head, _, sealed = (stored or self._decoy).rpartition("$")
        iterations, _, salt = head.partition("$")
        try:
            octets = a2b_base64(sealed, strict_mode=True)
            opened = self._seal.decrypt(octets[:_NONCE], octets[_NONCE:], f"{head}${password_hash}".encode())
            keys = ScramKeys(a2b_base64(salt, strict_mode=True), int(iterations), opened[:32], opened[32:])
        except (Error, ValueError, InvalidTag):
            return None
        # Keys with another count would tell apart who exists from who does not: they wait for the next password.
        return keys if stored and keys.iterations == self.options.iterations else None


def _text(octets: bytes) -> str:
    return b2a_base64(octets, newline=False).decode()
