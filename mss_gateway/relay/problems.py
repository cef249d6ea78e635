"""Why a letter, or a host, came to nothing; and what of a peer's words an operator may read (INS-7)."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from functools import lru_cache

from mss_gateway.base.errors import GatewayError
from mss_gateway.mail.envelope import Recipient
from mss_gateway.net.alert import NOTHING, Shown
from mss_gateway.ports.relay import Fate, Outcome
from mss_gateway.protocol.smtp import Reply
from mss_gateway.rules.ins import mask_text

from .places import Host

MAX_TEXT = 400
"""Characters of a peer's text that are kept."""
_LOOKED_AT = (
    2 * MAX_TEXT
)  # masking only lengthens: what is cut here cannot be an INS half shown, nor cost much


_ABOUT_US = re.compile(r"\bclient (?:certificate|host)\b", re.IGNORECASE)


def one_line(text: str) -> str:
    """Return `text` in one line of at most `MAX_TEXT` printable characters, INS masked."""
    plain = " ".join(text.split())[:_LOOKED_AT]
    if not plain.isprintable():
        plain = "".join([char if char.isprintable() else "?" for char in plain])
    return mask_text(plain)[:MAX_TEXT]


@lru_cache(maxsize=64)
def said(reply: Reply) -> str:
    """The peer's reply in one line, code and status first."""
    status = f"{reply.enhanced} " if reply.enhanced else ""
    return one_line(f"{reply.code} {status}{reply.text}")


class RelayProblem(GatewayError):
    """An attempt at a domain or a host that came to nothing; becomes the outcome of every recipient concerned.

    `next_host` tells that another host of the domain may do better, `shown` what a peer not trusted has shown.
    """

    def __init__(
        self,
        reason: str,
        text: str,
        status: str,
        *,
        fate: Fate = Fate.TRY_LATER,
        host: str = "",
        next_host: bool = True,
        shown: Shown = NOTHING,
    ) -> None:
        super().__init__(reason)
        self.shown = shown
        self.reason = reason
        self.text = one_line(text)
        self.status = status
        self.fate = fate
        self.host = host
        self.next_host = next_host

    def outcome(self, recipient: Recipient) -> Outcome:
        """The outcome of one recipient."""
        return Outcome(recipient, self.fate, self.reason, self.text, self.status, self.host)


def unreachable(host: Host, failures: Mapping[str, OSError]) -> RelayProblem:
    """No address of a host has let us connect: what became of each."""
    silent = any(isinstance(error, TimeoutError) for error in failures.values())
    text = ", ".join(f"[{address}] {_failure(error)}" for address, error in failures.items())
    reason = "connect-timeout" if silent else "connect-refused"
    return RelayProblem(reason, f"no connection to {host}: {text}", "4.4.1", host=host.name)


def _failure(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "did not answer"
    return f"refused ({errno.errorcode.get(error.errno or 0, type(error).__name__)})"


def distrusted(reply: Reply, recipient: Recipient, host: str) -> Outcome:
    """A security refusal of MAIL: it is about our certificate or our sender's domain, as the peer's list and CRLs see
    them today. A refusal for a trust reason is tried again (TRU-5).
    """
    status = f"4{(reply.enhanced or '5.7.1')[1:]}"
    return Outcome(recipient, Fate.TRY_LATER, "peer-distrusts-us", said(reply), status, host)


def refused(reply: Reply, recipient: Recipient, host: str) -> Outcome:
    """The outcome that a negative reply to this recipient, or to all of them, means.

    Postfix looks at a client's certificate only when it knows a recipient, unless it is told otherwise: such a no at
    RCPT is about us, not about the recipient.
    """
    temporary = reply.code < 500
    if not temporary and (reply.enhanced or "").startswith("5.7.") and _ABOUT_US.search(reply.text):
        return distrusted(reply, recipient, host)
    status = reply.enhanced or ("4.0.0" if temporary else "5.0.0")
    return Outcome(
        recipient,
        Fate.TRY_LATER if temporary else Fate.FAILED,
        "peer-temporary" if temporary else "peer-refused",
        said(reply),
        status,
        host,
    )
