"""The ways in which a token is not accepted: one public text for all that are the token's fault (ACC-2, ACC-3).

The slug tells operators which one it was; it is written to the log and the trace, never answered.
"""

from __future__ import annotations

from mss_gateway.base.errors import Refuse

TEXT = "The token is not accepted here"
"""What everybody may read of a refused token, whether token, person or mailbox is wrong."""

LATER = "Tokens cannot be checked at this moment; try again later"
"""What everybody may read when the provider cannot be asked."""


def wrong(reason: str) -> Refuse:
    """A token that will never be accepted."""
    return Refuse(535, "5.7.8", TEXT, reason)


def later(reason: str) -> Refuse:
    """A token of which nothing can be said now (RFC 4954 section 4.7)."""
    return Refuse(454, "4.7.0", LATER, reason)


TOO_LONG = wrong("token-too-long")
MALFORMED = wrong("token-malformed")
ENCRYPTED = wrong("token-encrypted")
ALGORITHM = wrong("token-algorithm")
CRITICAL = wrong("token-critical")
TYPE = wrong("token-type")
KEY_UNKNOWN = wrong("token-key-unknown")
SIGNATURE = wrong("token-signature")
ISSUER = wrong("token-issuer")
AUDIENCE = wrong("token-audience")
EXPIRED = wrong("token-expired")
NO_EXPIRY = wrong("token-no-expiry")
NOT_YET = wrong("token-not-yet-valid")
NO_SUBJECT = wrong("token-no-subject")
OTHER_SUBJECT = wrong("token-other-subject")
REVOKED = wrong("token-revoked")
"""The token's fault."""

PROVIDER_DOWN = later("provider-unreachable")
PROVIDER_NONSENSE = later("provider-nonsense")
KEYS_PAUSED = later("token-key-not-asked")
"""Not the token's fault: the provider is silent, answers nonsense, or was asked for its keys just now."""
