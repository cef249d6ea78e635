"""A real smarthost (aiosmtpd) in front of the alerts: TLS, login, and everything that can go wrong (PAT-3)."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from mss_gateway.base.errors import InvalidValue
from mss_gateway.ports.alerts import AlertMail, Handed, Handing
from mss_gateway.relay.smarthost import MailSmarthost, SmarthostOptions
from mss_gateway.rules.alerts import alert_mail
from tests.support.ports import free_ports

pytestmark = pytest.mark.req("PAT-3")
OCTETS = alert_mail("alerte@ici.example", "p@perso.example", "https://ici.example", "<1@ici.example>", 0.0)
MAIL = AlertMail("alerte@ici.example", "p@perso.example", OCTETS)


class Host:
    """Keeps what it takes; answers RCPT and DATA as told."""

    def __init__(self, rcpt: str = "", data: str = "250 2.0.0 taken") -> None:
        self.rcpt, self.data = rcpt, data
        self.kept: list[bytes] = []
        self.tls: list[bool] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        """Take or refuse."""
        if self.rcpt:
            return self.rcpt
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Keep and answer."""
        self.kept.append(envelope.original_content)
        self.tls.append(server.transport.get_extra_info("ssl_object") is not None)
        return self.data


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server context for 127.0.0.1 and the authority's file."""
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return context, path


@pytest.fixture
def start() -> Iterator[Callable[..., int]]:
    """Starts smarthosts on free ports."""
    with ExitStack() as stack:

        def begin(host: Host, **more: Any) -> int:
            (port,) = free_ports(1)
            controller = Controller(host, hostname="127.0.0.1", port=port, **more)
            controller.start()
            stack.callback(controller.stop)
            return port

        yield begin


def options(port: int, **more: Any) -> SmarthostOptions:
    """Patience of seconds."""
    return SmarthostOptions("127.0.0.1", port, "ici.example", **({"security": "none"} | more))


async def hand(port: int, **more: Any) -> Handed:
    """One mail."""
    return await MailSmarthost(options(port, **more)).hand(MAIL)


async def test_plain_on_loopback_keeps_every_octet(start: Callable[..., int]) -> None:
    """What arrives is what was written."""
    host = Host()
    assert await hand(start(host)) == Handed(Handing.TAKEN)
    assert host.kept == [OCTETS]


async def test_starttls_and_tls(start: Callable[..., int], authority: tuple[ssl.SSLContext, Path]) -> None:
    """Both ways the mail goes over TLS, checked against the configured authority."""
    context, ca = authority
    host = Host()
    port = start(host, tls_context=context, require_starttls=True)
    assert (await hand(port, security="starttls", ca=ca)).handing is Handing.TAKEN
    port = start(host, ssl_context=context)
    assert (await hand(port, security="tls", ca=ca)).handing is Handing.TAKEN
    assert host.tls == [True, True]


async def test_tls_is_never_given_up(
    start: Callable[..., int], authority: tuple[ssl.SSLContext, Path]
) -> None:
    """A server without STARTTLS, or with an unknown certificate, gets nothing."""
    context, _ = authority
    host = Host()
    assert (await hand(start(host), security="starttls")).handing is Handing.UNREACHABLE
    port = start(host, tls_context=context)
    assert (await hand(port, security="starttls")).handing is Handing.UNREACHABLE
    assert host.kept == []


async def test_login_with_a_password_from_a_file(
    start: Callable[..., int], authority: tuple[ssl.SSLContext, Path], tmp_path: Path
) -> None:
    """The right password sends; the wrong one and a missing file are failures of the smarthost, to be retried."""
    context, ca = authority

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(
            success=isinstance(data, LoginPassword) and data.password == b"juste", handled=False
        )

    host = Host()
    port = start(host, tls_context=context, authenticator=check, auth_required=True)
    secret = tmp_path / "password"
    login = {"security": "starttls", "ca": ca, "login": "passerelle", "password_file": secret}
    assert (await hand(port, **login)).handing is Handing.UNREACHABLE
    secret.write_text("faux\n")
    assert await hand(port, **login) == Handed(Handing.UNREACHABLE, "login-535")
    secret.write_text("juste\n")
    assert await hand(port, **login) == Handed(Handing.TAKEN)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (Host(rcpt="451 4.7.1 greylisted p@perso.example"), Handed(Handing.LATER, "451")),
        (Host(rcpt="550 5.1.1 no p@perso.example"), Handed(Handing.REFUSED, "550")),
        (Host(data="554 5.7.1 no"), Handed(Handing.REFUSED, "554")),
        (Host(data="452 4.3.1 full"), Handed(Handing.LATER, "452")),
    ],
)
async def test_replies_become_outcomes_without_their_words(
    start: Callable[..., int], host: Host, expected: Handed
) -> None:
    """Greylisting is tried later, 5xx is final; the server's words, which may name the patient, stay behind."""
    assert await hand(start(host)) == expected


async def test_nobody_there_and_a_server_that_hangs() -> None:
    """A refused connection and a silent server end by themselves."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = int(silent.getsockname()[1])
        assert await hand(port, step=0.3, whole=30.0) == Handed(Handing.UNREACHABLE, "timeout")
    assert (await hand(free_ports(1)[0])).handing is Handing.UNREACHABLE


async def test_a_server_that_drips_is_bounded_as_a_whole() -> None:
    """Each line in time, the greeting without end: the deadline of the whole ends it."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"220-encore\r\n")
                await writer.drain()
                await asyncio.sleep(0.05)
        except (ConnectionError, asyncio.CancelledError):
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await hand(port, step=30.0, whole=0.5) == Handed(Handing.UNREACHABLE, "timeout")
    server.close()


@pytest.mark.parametrize("host", ["smtp.fournisseur.example", "192.0.2.1", "localhost"])
def test_without_tls_only_on_loopback(host: str) -> None:
    """A name may resolve anywhere; another machine is refused at once."""
    with pytest.raises(InvalidValue):
        SmarthostOptions(host, 25, "ici.example", "none")
    with pytest.raises(InvalidValue):
        SmarthostOptions("127.0.0.1", 25, "ici.example", "ssl")
