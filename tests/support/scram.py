"""A SCRAM-SHA-256 client (RFC 5802), written apart from the server's code: for dialogues over real sockets."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode


class ScramClient:
    """One exchange. `header` is the gs2-header, `binding` the octets of the channel."""

    def __init__(
        self,
        login: str,
        password: str,
        *,
        header: bytes = b"n,,",
        binding: bytes = b"",
        nonce: bytes = b"fyko+d2lbbFgONRv9qkxdawL",
    ) -> None:
        self._password = password.encode()
        self._header = header
        self._binding = binding
        self._nonce = nonce
        self._bare = b"n=%b,r=%b" % (login.replace("=", "=3D").replace(",", "=2C").encode(), nonce)
        self._verifier = b""
        self.salt = b""
        self.iterations = 0

    def first(self) -> bytes:
        """The client's first message."""
        return self._header + self._bare

    def final(self, server_first: bytes) -> bytes:
        """The client's final message."""
        nonce, salt, iterations = (part[2:] for part in server_first.split(b","))
        assert nonce.startswith(self._nonce)
        assert len(nonce) > len(self._nonce)
        self.salt, self.iterations = b64decode(salt), int(iterations)
        salted = hashlib.pbkdf2_hmac("sha256", self._password, self.salt, self.iterations)
        key = hmac.new(salted, b"Client Key", "sha256").digest()
        without = b"c=" + b64encode(self._header + self._binding) + b",r=" + nonce
        message = b",".join((self._bare, server_first, without))
        signature = hmac.new(hashlib.sha256(key).digest(), message, "sha256").digest()
        server = hmac.new(salted, b"Server Key", "sha256").digest()
        self._verifier = hmac.new(server, message, "sha256").digest()
        return without + b",p=" + b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True)))

    def verify(self, server_final: bytes) -> None:
        """Assert that the server knows the password too."""
        assert server_final == b"v=" + b64encode(self._verifier)
