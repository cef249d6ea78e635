"""What `init` writes: the commented configuration with the first choices filled in."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from .output import fail


@dataclass(frozen=True, slots=True)
class Choices:
    """The first administrator's answers."""

    hostname: str
    domains: list[str]
    realm: str
    patient_hosted: bool


def write(folder: Path, choices: Choices, *, force: bool, as_json: bool) -> Path:
    """Write `gateway.toml` into the folder; ends the command when it is there already or cannot be written."""
    from mss_gateway.base.errors import InvalidValue
    from mss_gateway.mail.address import parse_domain

    path = folder / "gateway.toml"
    if path.exists() and not force:
        fail(
            f"{path}: there is a configuration already: --force writes over it",
            4,
            reason="exists",
            as_json=as_json,
        )
    for name in (choices.hostname, *choices.domains):
        try:
            parse_domain(name)
        except InvalidValue as invalid:
            fail(f"{name}: {invalid.public}", 2, reason=invalid.reason, as_json=as_json)
    if choices.realm not in ("production", "test", "demo"):
        fail(f"{choices.realm}: the realm is production, test or demo", 2, reason="realm", as_json=as_json)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(filled(template(), choices), encoding="utf-8")
    except OSError as error:
        fail(f"{path}: cannot be written: {error.strerror}", 6, reason="unwritable", as_json=as_json)
    return path


def template() -> str:
    """The commented configuration with every key."""
    return (resources.files("mss_gateway.settings") / "gateway.toml").read_text(encoding="utf-8")


def filled(text: str, choices: Choices) -> str:
    """The template with the choices in place of its examples."""
    values = {
        "hostname": json.dumps(choices.hostname),
        "realm": json.dumps(choices.realm),
        "hosted": json.dumps(choices.domains),
        "patient_hosted": json.dumps(choices.patient_hosted),
    }
    for key, value in values.items():
        text = re.sub(rf"(?m)^#? ?({key} = ).*$", lambda found, new=value: found[1] + new, text, count=1)  # type: ignore[misc]
    return text
