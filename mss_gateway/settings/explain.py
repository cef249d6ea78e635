"""A wrong configuration in one sentence: key, value, remedy (OPS-6)."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from .schema import File


class ConfigError(Exception):
    """The configuration cannot be used; the text is the sentence for the operator."""


_FORMS = {
    "gateway.admin": "a URI, such as mailto:support@clinique-exemple.mssante.fr",
    "mailboxes.member_rights": "letters among lrswipkxtea (RFC 4314), such as lrswipkte",
}
"""How texts are written that are no host and port."""


def sentence(error: ValidationError, data: Mapping[str, Any]) -> str:
    """The first mistake of a validation, in words."""
    first = error.errors()[0]
    location = tuple(str(part) for part in first["loc"])
    key = ".".join(location)
    kind = first["type"]
    if kind == "extra_forbidden":
        return f"{key} is not a key of the configuration{_meant(location)}"
    if kind == "missing":
        return f"{key} is missing: add it (config/gateway.toml explains every key)"
    value = _shown(first.get("input"))
    if kind == "literal_error":
        return f"{key} = {value}: write one of {first['ctx']['expected']}"
    if kind == "string_pattern_mismatch":
        return f"{key} = {value}: write {_FORMS.get(key, 'host:port, such as 0.0.0.0:25')}"
    if kind in ("too_short", "list_too_short"):
        return f"{key} is empty: name at least one"
    if kind.startswith("greater_than"):
        limit = first["ctx"].get("gt", first["ctx"].get("ge"))
        word = "more than" if kind == "greater_than" else "at least"
        return f"{key} = {value}: write a number of {word} {limit}"
    if kind == "less_than_equal":
        return f"{key} = {value}: write a number of at most {first['ctx']['le']:g}"
    return f"{key} = {value}: {_wanted(kind)}"


def _wanted(kind: str) -> str:
    words = {
        "string_type": "write a text between quotes",
        "list_type": 'write a list, such as ["one", "two"]',
        "bool_parsing": "write true or false",
        "bool_type": "write true or false",
        "int_parsing": "write a whole number",
        "int_type": "write a whole number",
        "int_from_float": "write a whole number",
        "float_parsing": "write a number",
        "float_type": "write a number",
        "model_type": "write a section, such as [listen]",
    }
    return words.get(kind, "the value cannot be used")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _meant(location: tuple[str, ...]) -> str:
    model: type[BaseModel] = File
    for part in location[:-1]:
        field = model.model_fields.get(part)
        found = field.annotation if field else None
        inner = found if isinstance(found, type) else next(iter(get_args(found)), None)
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return ""
        model = inner
    close = get_close_matches(location[-1], model.model_fields, 1)
    return f": did you mean {close[0]}?" if close else ": remove it"
