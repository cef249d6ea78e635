"""The status page as HTML: one template, one style sheet, no script (OPS-4)."""

from __future__ import annotations

from functools import cache
from importlib import resources

from jinja2 import Environment, StrictUndefined, Template

from .operation import Result
from .status_words import day, span, whole


@cache
def _template() -> Template:
    text = resources.files("mss_gateway.ops").joinpath("pages/status.html").read_text(encoding="utf-8")
    world = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    world.filters |= {"span": span, "day": day, "whole": whole}
    return world.from_string(text)


def page(facts: Result) -> str:
    """The whole page of the facts of `StatusOperations.status`."""
    return _template().render(facts)
