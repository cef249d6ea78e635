"""Hands alert mails to a configured smarthost (PAT-3), over TLS unless it listens on loopback."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from mss_gateway.base.errors import InvalidValue
from mss_gateway.ports.alerts import AlertMail, Handed, Handing

if TYPE_CHECKING:
    from aiosmtplib import SMTP

SECURITIES = ("tls", "starttls", "none")
"""TLS from the first octet, by STARTTLS, or not at all."""


@dataclass(frozen=True, slots=True)
class SmarthostOptions:
    """Where and how; `local_name` is said in EHLO. An empty `ca` means the system's authorities.

    `step` bounds each command, `whole` the handing over of one mail, in seconds. Raises `InvalidValue` for a
    connection without TLS that would leave this machine.
    """

    host: str
    port: int
    local_name: str
    security: str = "starttls"
    ca: Path | None = None
    login: str = ""
    password_file: Path | None = None
    step: float = 20.0
    whole: float = 60.0

    def __post_init__(self) -> None:
        if self.security not in SECURITIES:
            raise InvalidValue("the security of the smarthost is tls, starttls or none", "alerts-security")
        if self.security == "none" and not is_loopback(self.host):
            raise InvalidValue("a smarthost without TLS must be on a loopback address", "alerts-security")


def is_loopback(host: str) -> bool:
    """Whether a host is an address of this machine's loopback; a name is none, `localhost` included."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class MailSmarthost:
    """Implements `ports.alerts.Smarthost` with one connection for each mail."""

    def __init__(self, options: SmarthostOptions) -> None:
        self._options = options

    async def hand(self, mail: AlertMail) -> Handed:
        """Hand one mail over; every failure becomes an outcome."""
        import aiosmtplib

        try:
            async with asyncio.timeout(self._options.whole):
                return await self._hand(mail)
        except aiosmtplib.SMTPAuthenticationError as error:
            return Handed(Handing.UNREACHABLE, f"login-{error.code}")
        except aiosmtplib.SMTPResponseException as error:
            return Handed(Handing.UNREACHABLE, str(error.code))
        except (TimeoutError, aiosmtplib.SMTPTimeoutError):
            return Handed(Handing.UNREACHABLE, "timeout")
        except (ssl.SSLError, OSError, ValueError, aiosmtplib.SMTPException) as error:
            return Handed(Handing.UNREACHABLE, type(error).__name__)

    async def _hand(self, mail: AlertMail) -> Handed:
        import aiosmtplib

        context, password = await asyncio.to_thread(self._read)
        client = self._client(context)
        try:
            await client.connect()
            if self._options.login:
                await self._login(client, password)
            try:
                await client.ehlo()
                await client.mail(mail.sender)
            except aiosmtplib.SMTPSenderRefused as error:
                return Handed(Handing.LATER, f"sender-{error.code}")
            try:
                await client.rcpt(mail.recipient)
                await client.data(mail.octets)
            except (aiosmtplib.SMTPRecipientRefused, aiosmtplib.SMTPDataError) as error:
                handing = Handing.REFUSED if 500 <= error.code < 600 else Handing.LATER
                return Handed(handing, str(error.code))
            return Handed(Handing.TAKEN)
        finally:
            client.close()

    async def _login(self, client: SMTP, password: str) -> None:
        """One attempt by one mechanism: guessing through all of them looks like an attack to the server."""
        await client.ehlo()
        plain = "plain" in client.server_auth_methods
        await (client.auth_plain if plain else client.auth_login)(self._options.login, password)

    def _client(self, context: ssl.SSLContext | None) -> SMTP:
        import aiosmtplib

        options = self._options
        return aiosmtplib.SMTP(
            hostname=options.host,
            port=options.port,
            local_hostname=options.local_name,
            timeout=options.step,
            use_tls=options.security == "tls",
            start_tls=options.security == "starttls",
            tls_context=context,
        )

    def _read(self) -> tuple[ssl.SSLContext | None, str]:
        """TLS context and password, read anew for each mail, so that the files may be replaced."""
        options = self._options
        context = None
        if options.security != "none":
            context = ssl.create_default_context(cafile=options.ca)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
        password = ""
        if options.login and options.password_file is not None:
            password = options.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        return context, password
