"""Which SASL mechanisms there are, and which of them one connection is offered (ACC-1, ACC-2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mss_gateway.net.stream import TlsInfo

from .sasl import Mechanism
from .sasl_external import ExternalExchange
from .sasl_password import LoginExchange, PlainExchange
from .sasl_scram import ScramExchange, ScramPlusExchange
from .sasl_token import BearerExchange, XOAuth2Exchange

MECHANISMS: Final[Mapping[str, Mechanism]] = {
    "SCRAM-SHA-256-PLUS": ScramPlusExchange,
    "SCRAM-SHA-256": ScramExchange,
    "PLAIN": PlainExchange,
    "LOGIN": LoginExchange,
    "OAUTHBEARER": BearerExchange,
    "XOAUTH2": XOAuth2Exchange,
    "EXTERNAL": ExternalExchange,
}
"""All of them, in the order of announcement: what shows the server less of the secret comes first."""

SCRAM: Final = frozenset({"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"})
"""Those that need the keys of `[login] scram`."""

TOKENS: Final = frozenset({"XOAUTH2", "OAUTHBEARER"})
"""Those that need an identity provider."""


def offered(names: tuple[str, ...], tls: TlsInfo | None, *, plus_tls13: bool = False) -> tuple[str, ...]:
    """Those of `names` that make sense on this connection, none before TLS.

    Clients try EXTERNAL first, and fail, when it is offered without a certificate. -PLUS needs something to bind to:
    in TLS 1.3 clients expect `tls-exporter` (RFC 9266), which we do not have, and those of GNU SASL give up where they
    could have taken SCRAM-SHA-256. `plus_tls13` offers it there all the same, for clients that know
    `tls-server-end-point`.
    """
    if tls is None:
        return ()
    without = set() if tls.peer is not None else {"EXTERNAL"}
    if not tls.bindings or (tls.version == "TLSv1.3" and not plus_tls13):
        without.add("SCRAM-SHA-256-PLUS")
    return tuple(name for name in names if name not in without)
