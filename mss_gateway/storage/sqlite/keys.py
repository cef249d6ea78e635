"""The ring of master keys: read from a private file or from a command, the last one writes (OPS-5)."""

from __future__ import annotations

import base64
import binascii
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from mss_gateway.observe.durable import mode_of, open_to_others
from mss_gateway.ports.sealing import KEY_SIZE

MOST_OCTETS = 64 * 1024
"""A ring is not larger: whatever says more is no ring."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}\Z")
_HEX = re.compile(r"[0-9A-Fa-f]{64}\Z")


class UnusableKeys(Exception):
    """The keys cannot be used; the text is a clause that says why and what to do, and never holds a key."""


@dataclass(frozen=True, slots=True)
class EncryptionOptions:
    """Whether new bodies are sealed (`seals`), and where the keys come from: a file, or a command's output.

    `timeout` is how many seconds the command may take.
    """

    seals: bool
    key_file: Path | None = None
    key_command: tuple[str, ...] = ()
    timeout: float = 10.0


def read_keys(options: EncryptionOptions) -> Mapping[str, bytes]:
    """The keys by their names, in their order, blocking; raises `UnusableKeys`."""
    if options.key_file is not None:
        return parse_keys(read_key_file(options.key_file))
    return parse_keys(_ask(options.key_command, options.timeout))


def read_key_file(path: Path) -> bytes:
    """The octets of a key file that nobody else may read; raises `UnusableKeys`."""
    try:
        with path.open("rb") as file:
            if open_to_others(mode := mode_of(path)):
                raise UnusableKeys(f"others may read or change it (mode {mode:04o}): chmod 0600 it")
            return file.read(MOST_OCTETS + 1)
    except FileNotFoundError:
        raise UnusableKeys("there is no such file: put it there, or restore it") from None
    except IsADirectoryError:
        raise UnusableKeys("this is a folder: name a file") from None
    except OSError as error:
        raise UnusableKeys(f"it cannot be read ({error.strerror}): check its owner") from None


def _ask(command: tuple[str, ...], timeout: float) -> bytes:
    """What a command says. Its words on standard error go to ours: they may explain what it lacks."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise UnusableKeys(f"it did not end within {timeout:g} seconds") from None
    except OSError as error:
        raise UnusableKeys(f"it cannot be run ({error.strerror})") from None
    if done.returncode:
        raise UnusableKeys(f"it ended with {done.returncode}")
    return done.stdout


def parse_keys(octets: bytes) -> Mapping[str, bytes]:
    """32 octets, or lines `KEY` and `NAME KEY` in base64 or hexadecimal; raises `UnusableKeys`.

    A key without a name is named by what it is. Empty lines and those that begin with `#` are passed over.
    """
    if len(octets) == KEY_SIZE and not octets.isascii():
        return {_name_of(octets): octets}
    if len(octets) > MOST_OCTETS:
        raise UnusableKeys("it holds more than 64 KiB: this is no file of keys")
    keys: dict[str, bytes] = {}
    for number, line in enumerate(octets.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith(b"#"):
            continue
        try:
            *names, text = (word.decode("ascii") for word in words)
        except UnicodeDecodeError:
            raise _no_key(number) from None
        key = _key_of(text)
        if key is None or len(names) > 1:
            raise _no_key(number)
        name = names[0] if names else _name_of(key)
        if not _NAME.match(name):
            raise UnusableKeys(f"in line {number} the key's name is not of letters, digits, `.`, `_` and `-`")
        if name in keys or key in keys.values():
            raise UnusableKeys(f"line {number} repeats a name or a key: each stands there once")
        keys[name] = key
    if not keys:
        raise UnusableKeys("it holds no key: write one, such as `openssl rand -base64 32` makes it")
    return keys


def _no_key(line: int) -> UnusableKeys:
    return UnusableKeys(
        f"line {line} is no key of 32 octets in base64 or hexadecimal: make one with `openssl rand -base64 32`"
    )


def _key_of(text: str) -> bytes | None:
    if _HEX.match(text):
        return bytes.fromhex(text)
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == KEY_SIZE else None


def _name_of(key: bytes) -> str:
    return f"k-{sha256(b'mss-gateway key name' + key).hexdigest()[:8]}"
