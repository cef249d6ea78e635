"""Where a backup's octets lie: one file for each piece, named by its digest, so that equal pieces are kept once.

Without a key the name is the SHA-256 of the octets. With a key it is an HMAC of them, for a SHA-256 would tell who has
the backup and a suspicion that a known document is in it; the octets are sealed with AES-256-GCM.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac_digest
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mss_gateway.observe.durable import sync
from mss_gateway.ports.keeping import KeepProblem

CHUNKS, BACKUPS, LOCK = "chunks", "backups", "lock"
"""What lies in the folder of the backups."""

KEY_SIZE = 32
"""Octets that a key file holds, at least."""

_MAGIC = b"MSSB\x01"
_NONCE = 12
_TAG = 16
_TMP = ".tmp"


class BackupKey(NamedTuple):
    """What is made of the octets of a key file: for sealing, for names, for the manifest."""

    seal: bytes
    name: bytes
    manifest: bytes


def read_key(path: Path) -> BackupKey:
    """The key of a file of 32 random octets or more; raises `KeepProblem`."""
    try:
        secret = path.read_bytes()
    except OSError as error:
        raise KeepProblem(
            f"The key file {path} cannot be read ({error.strerror}): give its path and the right to read it",
            "backup-key",
        ) from None
    if len(secret) < KEY_SIZE:
        raise KeepProblem(
            f"The key file {path} holds {len(secret)} octets: make one of 32 with `openssl rand -out FILE 32`",
            "backup-key",
        )
    made = HKDF(SHA256(), 3 * KEY_SIZE, None, b"mss-gateway backup 1").derive(secret)
    return BackupKey(made[:32], made[32:64], made[64:])


class ChunkStore:
    """Writes and reads the pieces in `folder`; raises OSError, and `KeepProblem` for a damaged piece."""

    def __init__(self, folder: Path, key: BackupKey | None = None) -> None:
        self._folder = folder / CHUNKS
        self.key = key
        self._aead = AESGCM(key.seal) if key is not None else None
        self._fresh: set[Path] = set()  # folders with names that are not durable yet
        self.written = 0  # octets that were new
        self.known: set[str] = set()

    def open(self) -> None:
        """Make the folder, learn what is there, remove what a killed run left half written."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in self.names():
            if name.endswith(_TMP):
                self.path(name.removesuffix(_TMP)).with_suffix(_TMP).unlink(missing_ok=True)
            else:
                self.known.add(name)

    def names(self) -> Iterator[str]:
        """Every file name there is."""
        with contextlib.suppress(FileNotFoundError):
            for part in os.scandir(self._folder):
                if part.is_dir():
                    yield from os.listdir(part.path)

    def path(self, name: str) -> Path:
        """The file of a piece."""
        return self._folder / name[:2] / name

    def name_of(self, octets: bytes) -> str:
        """The name that these octets have here."""
        if self.key is None:
            return sha256(octets).hexdigest()
        return hmac_digest(self.key.name, octets, "sha256").hex()

    def put(self, octets: bytes, *, check: bool = False) -> str:
        """Keep octets and return their name; durable after `sync`. With `check` a piece that is there is read."""
        name = self.name_of(octets)
        path = self.path(name)
        if name in self.known and not (check and self._is_bad(name)):
            self._fresh.add(path.parent)  # it may come from a run that was killed before `sync`
            return name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        self._fresh.update((path.parent, self._folder))
        temporary = path.with_suffix(_TMP)
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            write_all(fd, self._sealed(name, octets))
            os.fdatasync(fd)
        finally:
            os.close(fd)
        temporary.rename(path)
        self.known.add(name)
        self.written += len(octets)
        return name

    def _sealed(self, name: str, octets: bytes) -> bytes:
        if self._aead is None:
            return octets
        nonce = os.urandom(_NONCE)
        return _MAGIC + nonce + self._aead.encrypt(nonce, octets, bytes.fromhex(name))

    def _is_bad(self, name: str) -> bool:
        try:
            self.get(name)
        except (KeepProblem, OSError):
            return True
        return False

    def get(self, name: str) -> bytes:
        """The octets of a piece, held against their name; raises `KeepProblem` naming the piece."""
        try:
            octets = self.path(name).read_bytes()
        except FileNotFoundError:
            raise KeepProblem(f"The piece {name} is missing", "chunk-missing") from None
        except OSError as error:
            raise KeepProblem(
                f"The piece {name} cannot be read ({error.strerror})", "chunk-unreadable"
            ) from None
        if self._aead is not None:
            octets = self._opened(name, octets)
        if not compare_digest(self.name_of(octets), name):
            raise KeepProblem(f"The piece {name} was changed or cut", "chunk-damaged")
        return octets

    def _opened(self, name: str, octets: bytes) -> bytes:
        assert self._aead is not None
        head = len(_MAGIC)
        try:
            if octets[:head] != _MAGIC or len(octets) < head + _NONCE + _TAG:
                raise InvalidTag
            nonce = octets[head : head + _NONCE]
            return self._aead.decrypt(nonce, octets[head + _NONCE :], bytes.fromhex(name))
        except (InvalidTag, ValueError):
            raise KeepProblem(
                f"The piece {name} was changed or cut, or this is not its key", "chunk-damaged"
            ) from None

    def size_on_disk(self, name: str) -> int | None:
        """Octets of a piece's content as its file has them, None when it is missing."""
        try:
            size = self.path(name).stat().st_size
        except FileNotFoundError:
            return None
        return size if self.key is None else size - len(_MAGIC) - _NONCE - _TAG

    def sync(self) -> None:
        """Make the names durable of everything kept so far."""
        for folder in self._fresh:
            sync(folder)
        self._fresh.clear()

    def forget(self, name: str) -> int:
        """Remove a piece that no backup names; return its octets."""
        path = self.path(name)
        size = path.stat().st_size
        path.unlink()
        self.known.discard(name)
        return size


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One at a time works on a folder of backups; raises `KeepProblem`."""
    fd = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise KeepProblem(
                f"Another backup or prune works in {folder}: wait until it has ended", "backup-busy"
            ) from None
        yield
    finally:
        os.close(fd)


def write_all(fd: int, octets: bytes) -> None:
    """Write everything; raises OSError."""
    view = memoryview(octets)
    while view:
        view = view[os.write(fd, view) :]
