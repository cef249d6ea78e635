"""From the section [directory] to the options of the national directory (domain 15)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mss_gateway.directory.options import DirectoryOptions, FhirOptions

from .checks import is_address
from .explain import ConfigError
from .schema import File

HOUR = 3600.0


def directory_options(path: Path, file: File, at: Callable[[str], Path], state: Path) -> DirectoryOptions:
    """Where the national directory comes from; raises `ConfigError`."""
    section = file.directory
    for key, text in (("url", section.url), ("fhir_url", section.fhir_url)):
        if text and not is_address(text, "https"):
            raise ConfigError(
                f"{path}: directory.{key} = {text!r}: write an address such as https://host/path, without a login in it"
            )
    if bool(section.fhir_url) != bool(section.fhir_key_file):
        raise ConfigError(
            f"{path}: directory.fhir_url and directory.fhir_key_file go together: give both or neither"
        )
    for key in ("ca", "fhir_ca"):
        for name in getattr(section, key):
            if not at(name).is_file():
                raise ConfigError(f"{path}: directory.{key} holds {name!r}: there is no such file")
    if section.fhir_key_file and not at(section.fhir_key_file).is_file():
        raise ConfigError(
            f"{path}: directory.fhir_key_file = {section.fhir_key_file!r}: there is no such file"
        )
    fhir = None
    if section.fhir_url:
        authorities = tuple(at(name) for name in section.fhir_ca)
        fhir = FhirOptions(section.fhir_url, at(section.fhir_key_file), authorities, section.fhir_timeout)
    return DirectoryOptions(
        state=state,
        file=at(section.file) if section.file else None,
        url=section.url,
        every=section.every_hours * HOUR,
        ca_files=tuple(at(name) for name in section.ca or file.trust.ca),
        timeout=section.timeout,
        max_bytes=section.max_bytes,
        max_removed=section.max_removed,
        alarm_days=section.alarm_days,
        fhir=fhir,
    )
