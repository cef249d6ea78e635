"""What operators see of the provider whose tokens are accepted (OPS-2)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """How the last fetch went. Ages in seconds, None when nothing was ever fetched.

    `failure` is a slug and `sentence` its words, empty when nothing failed; `left_out` counts the weak keys.
    """

    mode: str
    issuer: str
    age: float | None
    max_age: float
    keys: int
    left_out: int
    failure: str
    sentence: str
