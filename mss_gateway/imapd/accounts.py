"""CAPABILITY, ID, ENABLE, LOGIN, AUTHENTICATE, LOGOUT (RFC 9051 sections 6.1, 6.2), UNAUTHENTICATE (RFC 8437)."""

from __future__ import annotations

from mss_gateway.base.errors import Refuse
from mss_gateway.pipeline.sasl import Challenge
from mss_gateway.ports.identity import Principal
from mss_gateway.protocol.imap import AuthResponse, Ending, Request, responses
from mss_gateway.protocol.imap.commands import Authenticate, Enable, Login

from .session import Session

_ENABLED = ("IMAP4REV2", "UTF8=ACCEPT", "CONDSTORE", "QRESYNC", "UIDONLY", "METADATA")


async def capability(session: Session, request: Request) -> None:
    """CAPABILITY."""
    session.send(responses.capability(session.core.capabilities()))
    session.core.tagged(Ending.OK, "done")


async def identification(session: Session, request: Request) -> None:
    """ID (RFC 2971): our name without a version, which would only help an attacker."""
    session.send(responses.identification({"name": "mss-gateway"}))
    session.core.tagged(Ending.OK, "done")


async def enable(session: Session, request: Request) -> None:
    """ENABLE (RFC 5161)."""
    command = request.command
    assert isinstance(command, Enable)
    names = [name for name in _ENABLED if name in command.names]
    if "IMAP4REV2" in names:
        session.rev2 = True
    if "IMAP4REV2" in names or "UTF8=ACCEPT" in names:
        session.core.enable_utf8()
    session.send(responses.enabled(names))
    if "CONDSTORE" in names or "QRESYNC" in names:
        session.use_modseq()
    session.qresync = session.qresync or "QRESYNC" in names
    session.uidonly = session.uidonly or "UIDONLY" in names
    if "METADATA" in names:
        session.parts.hub.notices.watch(session)
    session.core.tagged(Ending.OK, "done")


async def unauthenticate(session: Session, request: Request) -> None:
    """UNAUTHENTICATE (RFC 8437): as before the login; nothing is expunged, TLS stays, compression ends here."""
    session.forget()
    session.core.tagged(Ending.OK, "nobody is logged in now")
    await session.flush()
    session.stream.decompress()


async def logout(session: Session, request: Request) -> None:
    """LOGOUT."""
    session.leave()
    session.listen(None)
    session.send(responses.bye("goodbye"))
    session.core.tagged(Ending.OK, "done")


LOGIN_FAILURES = 5  # wrong logins of one connection; the last one ends it, so that guessing costs a handshake


async def login(session: Session, request: Request) -> None:
    """LOGIN; the core has refused it without TLS (ACC-1)."""
    command = request.command
    assert isinstance(command, Login)
    outcome = await session.parts.login.password(session.stream, command.user, command.password)
    _enter(session, outcome)


async def authenticate(session: Session, request: Request) -> None:
    """AUTHENTICATE; without an initial response the mechanism's first challenge asks for one."""
    command = request.command
    assert isinstance(command, Authenticate)
    if command.mechanism not in session.core.mechanisms:
        session.core.tagged(Ending.NO, "unknown mechanism", code=b"CANNOT")
        return
    exchange = session.parts.login.exchange(session.stream, command.mechanism)
    if isinstance(exchange, Refuse):
        _enter(session, exchange)
        return
    session.exchange = exchange
    if command.initial is None:
        session.core.challenge(exchange.opening)
    else:
        await _step(session, command.initial)


async def auth_response(session: Session, event: AuthResponse) -> None:
    """The client's answer to a challenge."""
    if event.data is None:
        session.exchange = None
        session.core.tagged(Ending.BAD, "authentication given up")
    else:
        await _step(session, event.data)


async def _step(session: Session, data: bytes) -> None:
    assert session.exchange is not None
    outcome = await session.exchange.step(data)
    if isinstance(outcome, Challenge):
        session.core.challenge(outcome.data)
        return
    session.exchange = None
    _enter(session, outcome)


def _enter(session: Session, outcome: Principal | Refuse) -> None:
    if isinstance(outcome, Refuse):
        session.parts.filing.note_refusal(session.stream.host, outcome.reason)
        code = b"UNAVAILABLE" if outcome.temporary else b"AUTHENTICATIONFAILED"
        session.core.tagged(Ending.NO, outcome.public, code=code)
        session.failed_logins += 1
        if session.failed_logins >= LOGIN_FAILURES:
            session.core.bye("too many failed logins")
        return
    session.principal = outcome
    # The capabilities change with the login; most clients read them here (RFC 9051 section 7.1).
    session.core.tagged(
        Ending.OK, "logged in", code=b"CAPABILITY " + session.core.capabilities(authenticated=True)
    )
