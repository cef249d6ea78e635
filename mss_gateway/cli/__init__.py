"""What an operator types; one file per noun. Heavy imports happen inside the commands, so that help is quick."""

from __future__ import annotations


def main() -> None:
    """The entry point of `mss-gateway`."""
    import sys

    from .root import app
    from .usage import narrowed

    narrowed(app, sys.argv[1:])()
