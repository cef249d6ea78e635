"""PURE. The server's half of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677): octets in, octets out.

`read_first` takes the client's first message, `Dialogue` makes the server's first and judges the client's final one.
Salt, keys and nonce come as arguments.
"""

from __future__ import annotations

import hmac
import re
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from mss_gateway.base.errors import Refuse

from .sasl import MALFORMED, MAX_FIELD
from .saslprep import saslprep

MAX_MESSAGE = 8192
"""Octets of one client message."""

EXTENSION = Refuse(
    535, "5.7.8", "This login asks for a SCRAM extension that we do not know", "scram-extension"
)
"""RFC 5802 section 5.1: a mandatory extension must be refused."""

DOWNGRADED = Refuse(
    535,
    "5.7.8",
    "The client did not see SCRAM-SHA-256-PLUS although it is offered: somebody may stand in between",
    "scram-downgrade",
)
"""RFC 5802 section 6: the flag `y` while -PLUS was offered."""

UNBOUND = Refuse(
    535, "5.7.8", "SCRAM-SHA-256-PLUS needs a channel binding that we can check", "scram-binding-unknown"
)
"""-PLUS without `p=`, or with a type of binding that this connection does not have."""

NOT_BOUND = Refuse(
    535,
    "5.7.8",
    "The login was made for another TLS connection: somebody may stand in between",
    "scram-binding-differs",
)
"""The client has seen another certificate, or another handshake."""

_NONCE = re.compile(rb"[\x21-\x2b\x2d-\x7e]{1,1024}\Z")
_FLAG = re.compile(rb"p=([A-Za-z0-9.\-]{1,64})\Z")
_BAD_ESCAPE = re.compile(rb"=(?!2C|3D)")


@dataclass(frozen=True, slots=True)
class First:
    """The client's first message; `flag` is the octet of RFC 5802's gs2-cbind-flag, `bound` its type of binding."""

    flag: bytes
    bound: str
    acting_as: str
    login: str
    nonce: bytes
    header: bytes
    bare: bytes


def read_first(data: bytes) -> First | Refuse:
    """Read `gs2-header [m=…,] n=…,r=…[,…]`; never raises."""
    if len(data) > MAX_MESSAGE or data.count(b",") < 3:
        return MALFORMED
    flag, authzid, bare = data.split(b",", 2)
    bound = _FLAG.match(flag)
    if bound is None and flag not in (b"n", b"y"):
        return MALFORMED
    if bare.startswith(b"m="):
        return EXTENSION
    name, _, rest = bare.partition(b",")
    nonce = rest.partition(b",")[0]
    acting_as = "" if not authzid else _name(authzid, b"a=")
    login = _name(name, b"n=")
    if acting_as is None or not login or nonce[:2] != b"r=" or not _NONCE.match(nonce, 2):
        return MALFORMED
    header = data[: len(data) - len(bare)]
    return First(flag[:1], bound[1].decode() if bound else "", acting_as, login, nonce[2:], header, bare)


def _name(text: bytes, label: bytes) -> str | None:
    """A saslname behind its label, prepared; None when it is not one."""
    if not text.startswith(label) or len(text) > MAX_FIELD or _BAD_ESCAPE.search(text, 2):
        return None
    try:
        return saslprep(text[2:].replace(b"=2C", b",").replace(b"=3D", b"=").decode())
    except UnicodeDecodeError:
        return None


def refused_binding(
    first: First, *, plus: bool, offered: bool, bindings: Mapping[str, bytes]
) -> Refuse | None:
    """What is wrong with the client's wish for channel binding, if anything (RFC 5802 section 6)."""
    if plus:
        return None if first.bound in bindings else UNBOUND
    if first.flag == b"p":
        return MALFORMED
    return DOWNGRADED if first.flag == b"y" and offered else None


@dataclass(frozen=True, slots=True)
class Keys:
    """What a proof is checked with: `StoredKey` and `ServerKey` of RFC 5802 section 3."""

    stored: bytes
    server: bytes


def derive(salted: bytes) -> Keys:
    """The keys of a SaltedPassword."""
    return Keys(
        sha256(hmac.digest(salted, b"Client Key", "sha256")).digest(),
        hmac.digest(salted, b"Server Key", "sha256"),
    )


class Dialogue:
    """The server's part after the client's first message; `nonce` is ours, fresh, printable and without a comma."""

    __slots__ = ("_binding", "_first", "_keys", "_message", "_nonce")

    def __init__(
        self, first: First, keys: Keys, salt: bytes, iterations: int, nonce: bytes, binding: bytes = b""
    ) -> None:
        """`binding` are the octets of the channel that `first.bound` names, empty without one."""
        self._first = first
        self._keys = keys
        self._nonce = first.nonce + nonce
        self._binding = first.header + binding
        self._message = b"r=%b,s=%b,i=%d" % (self._nonce, b2a_base64(salt, newline=False), iterations)

    def server_first(self) -> bytes:
        """The server's first message."""
        return self._message

    def server_final(self, data: bytes) -> bytes | Refuse | None:
        """Judge the client's final message: the server's final one, None when the proof is wrong."""
        without, mark, proof = data.rpartition(b",p=")
        fields = without.split(b",")
        if len(data) > MAX_MESSAGE or not mark or len(fields) < 2 or fields[0][:2] != b"c=":
            return MALFORMED
        bound, claimed = _base64(fields[0][2:]), _base64(proof)
        if bound is None or claimed is None or len(claimed) != 32 or fields[1] != b"r=" + self._nonce:
            return MALFORMED
        if not hmac.compare_digest(bound, self._binding):
            return NOT_BOUND
        message = b"%b,%b,%b" % (self._first.bare, self._message, without)
        signature = hmac.digest(self._keys.stored, message, "sha256")
        key = (int.from_bytes(claimed, "big") ^ int.from_bytes(signature, "big")).to_bytes(32, "big")
        if not hmac.compare_digest(sha256(key).digest(), self._keys.stored):
            return None
        verifier = hmac.digest(self._keys.server, message, "sha256")
        return b"v=" + b2a_base64(verifier, newline=False)


def _base64(text: bytes) -> bytes | None:
    try:
        return a2b_base64(text, strict_mode=True) if text else b""
    except Error:
        return None
