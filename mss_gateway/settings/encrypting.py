"""From the section [encryption] to what the store is told (OPS-5)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mss_gateway.storage.sqlite import EncryptionOptions, UnusableKeys, parse_keys, read_key_file

from .explain import ConfigError
from .schema import File


def encryption_options(path: Path, file: File, at: Callable[[str], Path]) -> EncryptionOptions | None:
    """Where keys come from, None without any; a key file is read here. Raises `ConfigError`."""
    section = file.encryption
    seals = section.mode == "on"
    if section.key_file and section.key_command:
        raise ConfigError(
            f"{path}: encryption.key_file and encryption.key_command are both given: keys come from one of them"
        )
    if not section.key_file and not section.key_command:
        if seals:
            raise ConfigError(
                f'{path}: encryption.mode = "on" without a key: name encryption.key_file or encryption.key_command'
            )
        return None
    if not section.key_file:
        return EncryptionOptions(seals, None, tuple(section.key_command), section.key_timeout)
    try:
        parse_keys(read_key_file(at(section.key_file)))
    except UnusableKeys as unusable:
        raise ConfigError(f"{path}: encryption.key_file = {section.key_file!r}: {unusable}") from None
    return EncryptionOptions(seals, at(section.key_file))


def keeps_index(file: File) -> bool:
    """Full-text indexes hold the words of messages in the clear: beside encrypted ones only where that is said.

    Where keys are named there may be encrypted messages, though new ones are none.
    """
    section = file.encryption
    keys = bool(section.key_file or section.key_command)
    return file.store.index and (not keys or section.index == "clear")
