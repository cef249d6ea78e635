"""From the section [mailboxes] to the options of the scheduled import and of the warnings (BAL-5, BAL-9)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mss_gateway.ops.box_file import FileOptions

from .explain import ConfigError
from .schema import File

HOUR = 3600.0


def file_options(path: Path, file: File, at: Callable[[str], Path]) -> FileOptions | None:
    """The file of mailboxes that is read when it changes, None for none; raises `ConfigError`."""
    mailboxes = file.mailboxes
    if sorted(set(mailboxes.quota_warnings)) != mailboxes.quota_warnings:
        raise ConfigError(
            f"{path}: mailboxes.quota_warnings = {mailboxes.quota_warnings}: write percentages that rise, such as"
            " [80, 95]"
        )
    if not mailboxes.import_file:
        if mailboxes.import_close:
            raise ConfigError(
                f"{path}: mailboxes.import_close = true without mailboxes.import_file: name the file, or leave it out"
            )
        return None
    found = at(mailboxes.import_file)
    if found.is_dir():
        raise ConfigError(
            f"{path}: mailboxes.import_file = {mailboxes.import_file!r}: this is a folder: name a CSV file"
        )
    return FileOptions(
        found, mailboxes.import_every_hours * HOUR, mailboxes.import_close, mailboxes.import_close_percent
    )
