"""A text that never shows itself by accident (AUD-5)."""

from __future__ import annotations


class Secret:
    """Holds a password, a token or a key; `reveal()` is the only way to read it.

    Its `repr`, `str` and format are a fixed mask, so no log line or traceback can leak it.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __bool__(self) -> bool:
        return bool(self._text)
