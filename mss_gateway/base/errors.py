"""The three kinds of "no": a business refusal (a value), a peer's misbehaviour, a fault of ours."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refuse:
    """A business "no", given back as a value and never raised.

    `code` is the SMTP reply code (4xx: try later, 5xx: never), `enhanced` the RFC 3463 status,
    `public` the text that anyone may read (no INS, no internal detail), `reason` the stable slug
    that logs, traces, tests and statistics use.
    """

    code: int
    enhanced: str
    public: str
    reason: str

    @property
    def temporary(self) -> bool:
        """True when the peer may try again later (4xx)."""
        return 400 <= self.code < 500


class GatewayError(Exception):
    """The root of every exception that this project raises on purpose."""


class ProtocolViolation(GatewayError):
    """A peer broke its protocol; the only exception that leaves a protocol core.

    `code` and `enhanced` make the last reply, `public` is safe to send, `reason` is a stable slug.
    """

    def __init__(self, public: str, reason: str, *, code: int = 550, enhanced: str = "5.5.2") -> None:
        super().__init__(reason)
        self.public = public
        self.reason = reason
        self.code = code
        self.enhanced = enhanced


class InvalidValue(GatewayError, ValueError):
    """A text that is not what it claims to be (address, INS, date…).

    `public` says what is wrong without echoing the text; `reason` is a stable slug.
    """

    def __init__(self, public: str, reason: str) -> None:
        super().__init__(public)
        self.public = public
        self.reason = reason
