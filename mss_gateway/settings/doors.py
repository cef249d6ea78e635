"""From [gateway] and [limits] to the options of the doors that carry mail."""

from __future__ import annotations

from mss_gateway.imapd.options import ImapDeadlines, ImapdOptions
from mss_gateway.protocol.smtp import Limits
from mss_gateway.smtpd.options import Deadlines, Role, SmtpOptions

from .schema import File


def smtp_door(file: File, hostname: str, role: Role, *, implicit: bool) -> SmtpOptions:
    """A door that mail comes in by; `implicit` is TLS from the first octet."""
    limits = file.limits
    deadlines = Deadlines(
        command=limits.command_timeout, data=limits.data_timeout, transaction=limits.transaction_timeout
    )
    return SmtpOptions(
        role, hostname, implicit, limits.message_size, Limits(recipients=limits.recipients), deadlines
    )


def imap_door(file: File, hostname: str, *, implicit: bool) -> ImapdOptions:
    """A door that mail is read by; `implicit` is TLS from the first octet."""
    limits = file.limits
    return ImapdOptions(
        hostname,
        implicit,
        limits.append_size,
        ImapDeadlines(command=limits.idle_timeout, idle=limits.idle_timeout),
        message_limit=limits.imap_messages,
        annotations=limits.annotations,
        annotation_size=limits.annotation_size,
        comment=file.gateway.comment,
        admin=file.gateway.admin,
        progress=limits.imap_progress,
    )
