"""From the section [audit] to the options of what keeps the functional trace (AUD-1)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mss_gateway.pipeline.auditing import AuditOptions

from .explain import ConfigError
from .schema import File


def audit_options(path: Path, file: File) -> AuditOptions:
    """How long lines are kept, how often they are sealed, and which readings are written down."""
    audit = file.audit
    return AuditOptions(audit.keep_months, audit.seal_minutes * 60.0, audit.seal_lines, audit.reads)


def audit_key(path: Path, file: File, at: Callable[[str], Path], state: Path) -> Path:
    """The key file of the chain; raises `ConfigError` when it would lie with what it protects."""
    key = at(file.audit.key) if file.audit.key else state / "audit.key"
    store = at(file.store.path) if file.store.path else state / "store"
    if key.parent == store:
        raise ConfigError(
            f"{path}: audit.key = {file.audit.key!r}: who can write the store could then write a chain that holds:"
            " name a file outside of the store's folder"
        )
    if key.is_dir():
        raise ConfigError(f"{path}: audit.key = {file.audit.key!r}: this is a folder: name a file")
    return key
