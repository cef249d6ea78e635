"""Never in the clear, never to an unlisted peer: the audit matrix towards the server, over real sockets (TRU-5)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from mss_gateway.dev.listing import Entry
from mss_gateway.ports.relay import Fate, Outcome
from mss_gateway.relay.courier import RelayCourier
from mss_gateway.trust.refused import RefusedBook
from tests.support.pki import CLIENT_ONLY, Issued, Pki, Subject, new_pki, self_signed
from tests.support.relay import (
    Neighbour,
    Script,
    courier,
    letter,
    neighbour,
    options,
    scripted,
    server_context,
)
from tests.support.trust import FOREIGN, HOSTED, OURS, THEIRS, World

Make = Callable[[Pki], Issued]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A fresh folder over the shared hierarchy."""
    return World(tmp_path)


def only(outcomes: tuple[Outcome, ...]) -> tuple[Fate, str, str]:
    """Fate, reason and status of the one outcome."""
    (one,) = outcomes
    return one.fate, one.reason, one.status


def with_context(context: ssl.SSLContext, heard: list[bytes]) -> Callable[[Script], object]:
    """A server with this context that notes what is said to it under TLS."""

    async def play(script: Script) -> None:
        await script.welcome(context=context)
        heard.append(await script.reader.read(4096))

    return play


ROWS: list[tuple[str, Make, str]] = [
    ("expired", lambda pki: pki.organisations.expired(THEIRS), "certificate-expired"),
    ("not-yet-valid", lambda pki: pki.organisations.not_yet_valid(THEIRS), "certificate-not-yet-valid"),
    ("other-ca", lambda pki: new_pki(label="AUTRE").organisations.issue(THEIRS), "issuer-unknown"),
    ("self-signed", lambda pki: self_signed(THEIRS), "self-signed"),
    ("client-only", lambda pki: pki.organisations.issue(THEIRS, usages=CLIENT_ONLY), "wrong-usage"),
    ("not-listed", lambda pki: pki.organisations.issue(Subject("mx.autre.fr")), "dn-not-listed"),
    (
        "same-cn",
        lambda pki: pki.organisations.issue(Subject(THEIRS.cn, ou=THEIRS.ou, o="AUTRE HOPITAL")),
        "dn-not-listed",
    ),
    ("listed-for-another", lambda pki: pki.organisations.issue(OURS), "dn-not-listed"),
]


@pytest.mark.req("TRU-4", "TRU-5", "TRU-6")
@pytest.mark.parametrize(("make", "reason"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
async def test_a_server_that_is_not_to_be_trusted_gets_no_word(world: World, make: Make, reason: str) -> None:
    """Temporary, with its slug; no MAIL, no connection kept."""
    heard: list[bytes] = []
    context = server_context(world, make(world.pki))
    async with scripted(world, with_context(context, heard)) as served:  # type: ignore[arg-type]
        async with courier(world, options(served.port)) as ours:
            assert only(await ours.deliver(letter())) == (Fate.TRY_LATER, reason, "4.7.5")
            assert ours.pool.idle == 0
        await served.all_closed()
    assert b"".join(heard) == b""


@pytest.mark.req("TRU-2", "TRU-5", "TRU-6")
async def test_a_revoked_server_is_refused(world: World) -> None:
    """By the CRL in force."""
    issued = world.pki.organisations.issue(THEIRS)
    world.put_crls([issued])
    context = server_context(world, issued)
    async with (
        scripted(world, with_context(context, [])) as served,  # type: ignore[arg-type]
        courier(world, options(served.port)) as ours,
    ):
        assert only(await ours.deliver(letter()))[:2] == (Fate.TRY_LATER, "certificate-revoked")


@pytest.mark.req("TRU-5")
async def test_a_server_without_starttls_gets_no_letter(world: World) -> None:
    """Not even the name of the recipient."""

    async def play(script: Script) -> None:
        await script.say("220 mx.test")
        await script.hear("EHLO")
        await script.say("250-mx.test", "250 8BITMIME")
        assert await script.reader.read() == b""

    async with scripted(world, play) as served, courier(world, options(served.port)) as ours:
        assert only(await ours.deliver(letter())) == (Fate.TRY_LATER, "no-starttls", "4.7.10")
        await served.all_closed()


@pytest.mark.req("TRU-5")
@pytest.mark.parametrize("answer", ["454 4.7.0 not now", "502 5.5.1 what", "421 bye"])
async def test_a_refused_starttls_is_temporary(world: World, answer: str) -> None:
    """Whatever its code says: nothing of the letter was refused."""

    async def play(script: Script) -> None:
        await script.say("220 mx.test")
        await script.hear("EHLO")
        await script.say("250-mx.test", "250 STARTTLS")
        await script.hear("STARTTLS")
        await script.say(answer)

    async with scripted(world, play) as served, courier(world, options(served.port)) as ours:
        fate, _, status = only(await ours.deliver(letter()))
        assert fate is Fate.TRY_LATER
        assert status.startswith("4.")


@pytest.mark.req("TRU-5")
async def test_replies_injected_before_the_handshake_are_noticed(world: World) -> None:
    """In the same segment as the 220."""

    async def play(script: Script) -> None:
        await script.say("220 mx.test")
        await script.hear("EHLO")
        await script.say("250-mx.test", "250 STARTTLS")
        await script.hear("STARTTLS")
        await script.say("220 go", "250-mx.evil", "250 8BITMIME")
        assert await script.reader.read() == b""

    async with scripted(world, play) as served, courier(world, options(served.port)) as ours:
        assert only(await ours.deliver(letter()))[:2] == (Fate.TRY_LATER, "peer-broke-protocol")
        await served.all_closed()


@pytest.mark.req("TRU-5", "TRU-6")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_peer_that_refuses_our_certificate_is_a_tls_failure(
    world: World, version: ssl.TLSVersion, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """In TLS 1.3 the alert comes after the handshake, at the first read."""
    context = server_context(world, certificate=False)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=new_pki(label="AUTRE").ca_pem.decode())
    context.maximum_version = version

    async def run() -> None:
        async with (
            scripted(world, with_context(context, [])) as served,  # type: ignore[arg-type]
            courier(world, options(served.port)) as ours,
        ):
            (outcome,) = await ours.deliver(letter())
            assert (outcome.fate, outcome.status) == (Fate.TRY_LATER, "4.7.5")
            # Both loops of the server may drop the alert: then only the loss is seen.
            assert outcome.reason in ("issuer-unknown", "tls-aborted")

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run())


@pytest.mark.req("TRU-5", "TRU-6")
def test_an_alert_after_the_handshake_tells_its_reason(world: World) -> None:
    """A server that sends it, as OpenSSL's own sockets do, is quoted: the fault is in our certificate."""
    context = server_context(world, certificate=False)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=new_pki(label="AUTRE").ca_pem.decode())
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        plain, _ = listening.accept()
        with plain:
            for answer in (b"220 mx\r\n", b"250-mx\r\n250 STARTTLS\r\n", b"220 go\r\n"):
                plain.sendall(answer)
                if not answer.startswith(b"220 go"):
                    plain.recv(1000)
            tls = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
            with tls:
                with contextlib.suppress(OSError):
                    tls.do_handshake()
                # Closed with octets unread it would be reset, and the alert lost on the way.
                with contextlib.suppress(OSError):
                    tls.shutdown(socket.SHUT_WR)
                    while tls.recv(4096):
                        pass

    async def run() -> None:
        async with courier(world, options(listening.getsockname()[1])) as ours:
            (outcome,) = await ours.deliver(letter())
            assert (outcome.fate, outcome.reason) == (Fate.TRY_LATER, "issuer-unknown")
            assert "its verdict on ours" in outcome.text

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listening:
        asyncio.run(run())
        thread.join()


@pytest.mark.req("TRU-5")
async def test_a_server_that_speaks_no_tls_is_a_tls_failure(world: World) -> None:
    """Noise where the ServerHello belongs."""

    async def play(script: Script) -> None:
        await script.say("220 mx.test")
        await script.hear("EHLO")
        await script.say("250-mx.test", "250 STARTTLS")
        await script.hear("STARTTLS")
        await script.say("220 go")
        await script.reader.read(10)
        await script.say("250 what?")
        await script.reader.read()

    async with scripted(world, play) as served, courier(world, options(served.port)) as ours:
        fate, _, status = only(await ours.deliver(letter()))
        assert (fate, status) == (Fate.TRY_LATER, "4.7.5")


@pytest.mark.req("TRU-2", "TRU-5")
async def test_a_kept_connection_is_checked_again_for_each_letter(world: World) -> None:
    """A server revoked meanwhile, or taken off the list, gets nothing more."""
    hooks = Neighbour()
    entries = (Entry(HOSTED, OURS.listed()), Entry(FOREIGN, OURS.listed()))
    issued = world.pki.organisations.issue(THEIRS)
    async with neighbour(world, hooks, issued=issued) as port:
        trust = world.trust(list_max_removed=1.0)
        ours = RelayCourier(options(port), trust)
        assert only(await ours.deliver(letter()))[0] is Fate.SENT
        assert ours.pool.idle == 1
        world.put_list(entries)
        trust.reload()
        assert only(await ours.deliver(letter())) == (Fate.TRY_LATER, "dn-not-listed", "4.7.5")
        world.put_list()
        trust.reload()
        assert only(await ours.deliver(letter()))[0] is Fate.SENT
        world.put_crls([issued])
        trust.reload()
        assert only(await ours.deliver(letter())) == (Fate.TRY_LATER, "certificate-revoked", "4.7.5")
        assert ours.pool.idle == 0
        await ours.close()
    assert len(hooks.mail) == 2


@pytest.mark.req("TRU-5")
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("550 5.7.1 your DN is not listed", (Fate.TRY_LATER, "peer-distrusts-us", "4.7.1")),
        ("530 5.7.0 TLS first", (Fate.TRY_LATER, "peer-distrusts-us", "4.7.0")),
        ("552 5.3.4 too large", (Fate.FAILED, "peer-refused", "5.3.4")),
        ("550 no", (Fate.FAILED, "peer-refused", "5.0.0")),
        ("451 4.7.1 later", (Fate.TRY_LATER, "peer-temporary", "4.7.1")),
    ],
)
@pytest.mark.parametrize("keywords", [(), ("PIPELINING",)])
async def test_a_refusal_of_the_sender_for_a_trust_reason_is_tried_again(
    world: World, answer: str, expected: tuple[Fate, str, str], keywords: tuple[str, ...]
) -> None:
    """The peer's list may be older than ours; any other refusal counts as it stands, and the session goes on."""

    async def play(script: Script) -> None:
        await script.welcome(*keywords)
        await script.hear("MAIL")
        await script.say(answer)
        if keywords:
            await script.hear("RCPT", "DATA")
            await script.say("503 5.5.1 no", "503 5.5.1 no")
        await script.transaction()

    async with scripted(world, play) as served, courier(world, options(served.port)) as ours:
        assert only(await ours.deliver(letter())) == expected
        assert only(await ours.deliver(letter()))[0] is Fate.SENT
        assert served.connections == 1


@pytest.mark.req("TRU-5")
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            "554 5.7.1 <mx.test[127.0.0.1]>: Client certificate rejected: not known here",
            (Fate.TRY_LATER, "peer-distrusts-us", "4.7.1"),
        ),
        (
            "554 5.7.1 <unknown[127.0.0.1]>: Client host rejected: Access denied",
            (Fate.TRY_LATER, "peer-distrusts-us", "4.7.1"),
        ),
        ("550 5.7.1 this doctor takes no mail", (Fate.FAILED, "peer-refused", "5.7.1")),
        ("550 5.1.1 no such client host", (Fate.FAILED, "peer-refused", "5.1.1")),
    ],
)
async def test_a_recipient_refused_for_our_certificate_is_tried_again(
    world: World, answer: str, expected: tuple[Fate, str, str]
) -> None:
    """Postfix judges a client when it knows a recipient; any other security refusal of a recipient is final."""

    async def play(script: Script) -> None:
        await script.welcome()
        await script.hear("MAIL")
        await script.say("250 OK")
        await script.hear("RCPT")
        await script.say(answer)
        await script.hear("RSET")
        await script.say("250 OK")
        await script.reader.read()

    async with scripted(world, play) as served, courier(world, options(served.port)) as ours:
        assert only(await ours.deliver(letter())) == expected


@pytest.mark.req("TRU-5", "TRU-8")
async def test_a_server_that_is_not_trusted_is_kept_for_explaining(world: World, tmp_path: Path) -> None:
    """The reason of the queue names the session, and the session holds the certificate that was shown."""
    book = RefusedBook(tmp_path / "refused")
    hooks = Neighbour()
    issued = world.pki.organisations.issue(THEIRS)
    world.put_crls([issued])
    async with neighbour(world, hooks, issued=issued) as port:
        ours = RelayCourier(options(port), world.trust(), book)
        (outcome,) = await ours.deliver(letter())
        await ours.close()
    (session,) = book.latest(10)
    assert f"(session {session.id})" in outcome.text
    told = session.refusal
    assert (told.direction, told.reason, told.domain) == ("outbound", "certificate-revoked", FOREIGN)
    assert told.chain[0] == issued.der
    book.close()


@pytest.mark.req("TRU-4", "TRU-5")
async def test_one_connection_serves_the_domains_of_one_operator_only(world: World) -> None:
    """Reuse goes by host; the list decides by domain, and a domain not listed does not end what serves another."""
    second, stranger = "clinique-sud.mssante.fr", "autre.mssante.fr"
    world.put_list(
        (
            Entry(HOSTED, OURS.listed()),
            Entry(FOREIGN, THEIRS.listed()),
            Entry(second, THEIRS.listed()),
            Entry(stranger, OURS.listed()),
        )
    )
    hooks = Neighbour()
    async with neighbour(world, hooks) as port:
        here = (("127.0.0.1", port),)
        chosen = replace(options(port), overrides={FOREIGN: here, second: here, stranger: here})
        async with courier(world, chosen) as ours:
            assert only(await ours.deliver(letter()))[0] is Fate.SENT
            assert only(await ours.deliver(letter(domain=stranger)))[1] == "dn-not-listed"
            assert only(await ours.deliver(letter(domain=second)))[0] is Fate.SENT
            assert ours.pool.idle == 1
    assert [mail[1] for mail in hooks.mail] == [[f"dr@{FOREIGN}"], [f"dr@{second}"]]
