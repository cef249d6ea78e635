"""Bodies sealed at rest: each with a key of its own, wrapped by a master key and bound to the body's id (OPS-5).

A connection knows its cipher; without one the statements of the store are what they were before there was encryption.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import apsw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mss_gateway.ports.records import TEXT_PART
from mss_gateway.ports.sealing import KEY_SIZE, Seal, SealBroken
from mss_gateway.ports.store import DamagedBody, StoreError

from .keys import EncryptionOptions, UnusableKeys, read_keys

HEADER, ENVELOPE, BODYSTRUCTURE, STRUCTURE, SUBJECT, PREVIEW = range(TEXT_PART + 1, TEXT_PART + 7)
"""The numbers under which the parts of a body are sealed, beside its text."""

OPENED = "opened_part"
"""The SQL function (part, body id, master key's id, wrapped key, octets) that opens what is sealed."""

KEY_JOIN = " LEFT JOIN body_keys AS k ON k.body_id = {}"
"""The join with the keys `k` of a body whose id is the expression put in."""

OPENED_OR_NULL = "opened_part_or_null"
"""The same, NULL for what is damaged: for answers about many messages, which one of them must not spoil."""

_NONCE = 12
_PROOF = b"mss-gateway master key"
_KEPT = 4096  # opened keys that are remembered, of 2.5 kB each


class BodySeal:
    """The opened keys of one body; its text has a key of its own where it was sealed on its way in."""

    __slots__ = ("keys", "parts", "text")

    def __init__(self, keys: bytes) -> None:
        self.keys = keys
        self.parts = Seal(keys[:KEY_SIZE])
        self.text = Seal(keys[KEY_SIZE:]) if len(keys) > KEY_SIZE else self.parts

    @property
    def text_key(self) -> bytes:
        """The key that the text is sealed with."""
        return self.keys[KEY_SIZE:] or self.keys

    @classmethod
    def fresh(cls) -> BodySeal:
        """Of a new body."""
        return cls(os.urandom(KEY_SIZE))

    def with_text(self, key: bytes) -> BodySeal:
        """The same, for a text that is sealed with that key already."""
        return BodySeal(self.keys[:KEY_SIZE] + key)


class Cipher:
    """The master keys of a store by their number in it. `active` seals what comes; None leaves it in the clear."""

    def __init__(self, masters: Mapping[int, AESGCM], active: int | None) -> None:
        self._masters = masters
        self.active = active
        self._opened: dict[tuple[int, bytes], BodySeal] = {}

    def wrap(self, body_id: int, keys: bytes) -> tuple[int, bytes]:
        """Number of the active master key, and the keys of a body as they are written down."""
        if self.active is None:
            raise StoreError("nothing is to be encrypted here")
        nonce = os.urandom(_NONCE)
        return self.active, nonce + self._masters[self.active].encrypt(nonce, keys, _bound(body_id))

    def unwrap(self, body_id: int, key_id: int, wrapped: bytes) -> BodySeal:
        """The keys of a body; raises `DamagedBody`."""
        found = self._opened.get((body_id, wrapped))
        if found is None:
            try:
                master = self._masters[key_id]
                found = BodySeal(master.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], _bound(body_id)))
            except (KeyError, InvalidTag, ValueError):
                raise DamagedBody(body_id) from None
            if len(self._opened) >= _KEPT:
                self._opened.clear()
            self._opened[body_id, wrapped] = found
        return found

    def open_part(
        self, part: int, body_id: int, key_id: int | None, wrapped: bytes | None, octets: bytes | None
    ) -> bytes | None:
        """One part of a body, as it is when the body lies in the clear; raises `DamagedBody`."""
        if wrapped is None or key_id is None or octets is None:
            return octets
        seal = self.unwrap(body_id, key_id, wrapped)
        try:
            return (seal.text if part == TEXT_PART else seal.parts).open(part, octets)
        except (SealBroken, TypeError):
            raise DamagedBody(body_id) from None

    def try_part(
        self, part: int, body_id: int, key_id: int | None, wrapped: bytes | None, octets: bytes | None
    ) -> bytes | None:
        """The same, None for what is damaged."""
        try:
            return self.open_part(part, body_id, key_id, wrapped, octets)
        except DamagedBody:
            return None


def _bound(body_id: int) -> bytes:
    return b"body %d" % body_id


class StoreConnection(apsw.Connection):
    """A connection to the store, with the cipher of what it reads and writes."""

    cipher: Cipher | None = None

    def use(self, cipher: Cipher | None) -> None:
        """Seal and open with that; what is freed is overwritten from now on, so that nothing stays in the clear."""
        self.cipher = cipher
        if cipher is not None:
            self.execute("PRAGMA secure_delete = ON")
            self.create_scalar_function(OPENED, cast(Any, cipher.open_part), 5, deterministic=True)
            self.create_scalar_function(OPENED_OR_NULL, cast(Any, cipher.try_part), 5, deterministic=True)


def cipher_of(db: apsw.Connection) -> Cipher | None:
    """What a connection seals and opens with."""
    return db.cipher if isinstance(db, StoreConnection) else None


def sealing_cipher(db: apsw.Connection) -> Cipher | None:
    """The same, None when what comes stays in the clear."""
    cipher = cipher_of(db)
    return cipher if cipher is not None and cipher.active is not None else None


def key_join(db: apsw.Connection, body_id: str) -> str:
    """The join with the keys of bodies as `k`, empty when there can be none."""
    return "" if cipher_of(db) is None else KEY_JOIN.format(body_id)


def opened(join: str, part: int, column: str, function: str = OPENED) -> str:
    """The expression that reads a column of a body, given what `key_join` said; a NULL part is NULL."""
    if not join:
        return column
    body_id = join.rpartition(" ")[2]
    return f"iif(k.wrapped IS NULL, {column}, {function}({part}, {body_id}, k.key_id, k.wrapped, {column}))"


# --- opening


def open_cipher(db: apsw.Connection, options: EncryptionOptions | None, path: Path) -> Cipher | None:
    """Hold the keys against those the store was encrypted with; raises `StoreError` with one sentence."""
    wanted = list(db.execute("SELECT id, name, proof FROM master_keys ORDER BY id"))
    if options is None:
        if wanted:
            raise StoreError(
                f"The store in {path} is encrypted with the key {_listed(wanted)}: name its keys in [encryption],"
                " with key_file or key_command"
            )
        return None
    source = f"encryption.key_file = '{options.key_file}'"
    if options.key_file is None:
        source = f"encryption.key_command = {list(options.key_command)}"
    try:
        keys = read_keys(options)
    except UnusableKeys as unusable:
        raise StoreError(f"{source}: {unusable}") from None
    masters: dict[int, AESGCM] = {}
    numbers: dict[str, int] = {}
    for number, name, proof in wanted:
        if name not in keys:
            raise StoreError(
                f"{source}: the key {name!r} is not there, with which the store in {path} is encrypted: put it back"
            )
        masters[number] = AESGCM(keys[name])
        numbers[name] = number
        try:
            masters[number].decrypt(proof[:_NONCE], proof[_NONCE:], _PROOF)
        except InvalidTag:
            raise StoreError(
                f"{source}: the key {name!r} is not the one with which the store in {path} is encrypted:"
                " put the right one back"
            ) from None
    if not options.seals:
        return Cipher(masters, None) if wanted else None
    newest = list(keys)[-1]
    if newest not in numbers:
        number = _remember(db, newest, keys[newest])
        masters[number], numbers[newest] = AESGCM(keys[newest]), number
    return Cipher(masters, numbers[newest])


def _remember(db: apsw.Connection, name: str, key: bytes) -> int:
    nonce = os.urandom(_NONCE)
    db.execute(
        "INSERT INTO master_keys (name, proof, since) VALUES (?, ?, ?)",
        (name, nonce + AESGCM(key).encrypt(nonce, b"", _PROOF), time.time()),
    )
    return db.last_insert_rowid()


def _listed(wanted: list[tuple[int, str, bytes]]) -> str:
    return ", ".join(repr(name) for _, name, _ in wanted)
