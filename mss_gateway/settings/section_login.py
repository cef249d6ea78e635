"""[login]: how clients log in, and what slows a guesser down."""

from __future__ import annotations

from .section import Section


class LoginSection(Section):
    """[login]: how clients log in, and what slows a guesser down."""
