"""What no peer of the SMTP door can pass: time, counts, sizes, logins; and a full disk."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mss_gateway.base.errors import Refuse
from mss_gateway.dev.wire import tls
from mss_gateway.net.gate import GateOptions
from mss_gateway.pipeline import spool
from mss_gateway.ports.store import StoreFull
from mss_gateway.settings import Settings
from mss_gateway.smtpd.options import Deadlines, SmtpOptions
from tests.support.doors import Change, Served
from tests.support.letters import HOSTED, MEDECIN, SENDER, letter, unique
from tests.support.wires import Smtp

Start = Callable[..., Served]


def smtp(**changes: Any) -> Change:
    """The same change of options for every SMTP door."""

    def change(settings: Settings) -> Settings:
        def door(options: SmtpOptions) -> SmtpOptions:
            return replace(options, **changes)

        return replace(
            settings,
            mta=door(settings.mta),
            submission=door(settings.submission),
            submissions=door(settings.submissions),
        )

    return change


def connections(served: Served) -> int:
    """Tasks of the gateway that hold an SMTP or IMAP connection."""

    async def count() -> int:
        tasks = asyncio.all_tasks()
        return sum(1 for task in tasks if "Listener._run" in str(task.get_coro()))

    return served.call(count())


def gone(served: Served) -> None:
    """Wait until no connection is left; fail when one stays."""
    limit = time.monotonic() + 60
    while connections(served):
        assert time.monotonic() < limit, "a connection outlives its deadline"
        time.sleep(0.02)


def trickled(wire: Smtp, octet: bytes) -> str:
    """Send one octet at a time until the gateway speaks; fail when it never does."""
    for _ in range(1000):
        wire.send(octet)
        if not wire.quiet(0.05):
            return wire.reply()
    raise AssertionError("the gateway let a slow peer go on")


def test_a_silent_peer_is_told_and_gone(special: Start) -> None:
    """421 after the command deadline, on a fresh connection and inside TLS."""
    served = special(smtp(deadlines=Deadlines(command=2.0)))  # more than a busy machine needs for a login
    plain = Smtp(served.handout.ports.mta)
    inside = served.operator()
    assert plain.reply().startswith("421 4.4.2")
    assert inside.reply().startswith("421 4.4.2")
    gone(served)


def test_a_peer_of_one_octet_at_a_time_gets_no_more_than_the_deadline(special: Start) -> None:
    """Octets that never make a command do not buy time."""
    served = special(smtp(deadlines=Deadlines(command=1.0)))
    wire = Smtp(served.handout.ports.mta)
    assert trickled(wire, b"N").startswith("421 4.4.2")
    gone(served)


def test_a_slow_message_ends_at_the_transaction_deadline(special: Start) -> None:
    """Content that trickles within the data deadline is cut at the end of the transaction's time."""
    served = special(smtp(deadlines=Deadlines(data=60.0, transaction=3.0)))
    wire = served.operator()
    wire.envelope(SENDER, MEDECIN)
    wire.command("DATA")
    assert trickled(wire, b"X").startswith("421 4.4.2")
    gone(served)
    assert served.spooled == []


def test_a_peer_that_never_shakes_hands_is_dropped(special: Start) -> None:
    """STARTTLS and implicit TLS without a ClientHello end at the handshake deadline."""
    served = special(smtp(deadlines=Deadlines(handshake=0.3)))
    wire = Smtp(served.handout.ports.mta)
    wire.hello()
    assert wire.command("STARTTLS").startswith("220")
    raw = socket.create_connection(("127.0.0.1", served.handout.ports.submissions))
    raw.settimeout(60)
    assert wire.rest() == b""
    assert raw.recv(1) == b""
    gone(served)


def test_a_peer_that_does_not_read_is_cut_off(special: Start) -> None:
    """Replies that pile up end the connection at the write deadline; memory stays bounded by the buffers."""
    served = special(smtp(deadlines=Deadlines(write=0.3)))
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", served.handout.ports.mta))
    raw.settimeout(0.5)
    try:
        for _ in range(3000):
            raw.sendall(b"EHLO x.example\r\n" * 200)
    except OSError:
        pass
    gone(served)
    raw.close()


def test_connections_over_the_caps_are_told_421(special: Start) -> None:
    """Per address, then free again once one has left."""
    served = special(lambda settings: replace(settings, caps=GateOptions(10, 2)))
    first, second = Smtp(served.handout.ports.mta), Smtp(served.handout.ports.mta)
    third = Smtp(served.handout.ports.mta)
    assert third.banner.startswith("421 4.3.2")
    assert third.rest() == b""
    first.close()
    limit = time.monotonic() + 60
    while not (again := Smtp(served.handout.ports.mta)).banner.startswith("220"):
        assert time.monotonic() < limit
        time.sleep(0.02)
    again.close()
    second.close()


def test_too_many_bad_commands_end_the_session(special: Start) -> None:
    """421 4.7.0 after the limit of the core."""
    wire = special().operator()
    replies = [wire.command("BOGUS")[:9] for _ in range(21)]
    assert replies == ["500 5.5.1"] * 20 + ["421 4.7.0"]
    assert wire.rest() == b""


def test_a_line_too_long_ends_the_session(special: Start) -> None:
    """500, not memory."""
    wire = special().operator()
    wire.send(b"NOOP " + b"x" * 9000 + b"\r\n")
    assert wire.rest().startswith(b"500 5.5.2")


def test_refused_addresses_are_limited(special: Start) -> None:
    """A directory is not harvested over one connection."""
    wire = special(smtp(refusals=5)).operator()
    assert wire.command(f"MAIL FROM:<{SENDER}>").startswith("250")
    answers = [wire.command(f"RCPT TO:<a{number}@{HOSTED}>")[:9] for number in range(6)]
    assert answers == ["550 5.1.1"] * 5 + ["421 4.7.0"]
    assert wire.rest() == b""


@pytest.mark.req("ACC-3")
def test_wrong_logins_end_the_session_and_slow_the_next(special: Start) -> None:
    """535 a few times, then 421; the next connection is told to wait, whoever the account."""
    served = special()
    account = served.account("PER")
    pairs = served.parts.login._accounts._locks._pairs
    pairs.options = replace(pairs.options, first=300.0)  # longer than the next connection takes to come
    wire = served.submission()
    answers = [wire.auth_plain(account.login, "wrong")[:9] for _ in range(5)]
    assert answers == ["535 5.7.8"] * 4 + ["421 4.7.0"]
    assert wire.rest() == b""
    again = served.submission()
    assert again.auth_plain(account.login, account.password).startswith("454 4.7.0")
    again.close()


@pytest.mark.req("ACC-3")
def test_unknown_account_and_wrong_password_look_the_same(special: Start) -> None:
    """No oracle on which accounts exist."""
    served = special()
    wire = served.submission()
    wrong = wire.auth_plain(served.account("PER").login, "wrong")
    assert wire.auth_plain("nobody@nowhere.example", "wrong") == wrong
    wire.close()


@pytest.mark.req("ACC-2", "BAL-4")
def test_external_needs_a_certificate(special: Start) -> None:
    """EXTERNAL without a certificate is neither offered nor taken; with the registered one it enters."""
    served = special()
    wire = served.submission()
    assert "EXTERNAL" not in wire.hello()
    assert wire.command("AUTH EXTERNAL =")[:3] in ("504", "535")
    assert wire.command(f"MAIL FROM:<{MEDECIN}>").startswith("530")
    wire.close()
    app = served.submission(credential=served.handout.app)
    assert app.command("AUTH EXTERNAL =").startswith("235")
    app.close()


def test_malformed_auth_is_refused(special: Start) -> None:
    """Bad base64, a cancelled exchange, an unknown mechanism, a PLAIN of the wrong shape."""
    wire = special().submission()
    assert wire.command("AUTH PLAIN !!!!").startswith("501")
    assert wire.command("AUTH CRAM-MD5").startswith("504")
    assert wire.command("AUTH PLAIN").startswith("334")
    assert wire.command("*").startswith("501")
    assert wire.command("AUTH PLAIN YQ==")[:1] == "5"
    assert wire.command(f"MAIL FROM:<{MEDECIN}>").startswith("530")
    wire.close()


def test_a_message_over_the_size_is_swallowed_and_refused(special: Start) -> None:
    """552 at its end, nothing spooled, and the session goes on."""
    wire = (served := special(smtp(max_size=50_000))).operator()
    wire.envelope(SENDER, MEDECIN)
    assert wire.data(letter(text=b"x" * 70 + b"\r\n" * 30_000)).startswith("552 5.3.4")
    assert wire.deliver(SENDER, MEDECIN, letter()).startswith("250")
    wire.close()
    assert served.spooled == []


def test_a_full_disk_at_the_spool_is_a_452_and_passes(
    special: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No room for the spool file: 452, nothing left behind; with room again, 250."""
    served = special()
    wire = served.operator()

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "full")

    big = letter(text=b"y" * 70 + b"\r\n" * 400_000)
    wire.envelope(SENDER, MEDECIN)
    with monkeypatch.context() as patch:
        patch.setattr(spool.os, "write", full)
        assert wire.data(big).startswith("452 4.3.1")
        assert served.spooled == []
    assert wire.deliver(SENDER, MEDECIN, big).startswith("250")
    wire.close()
    assert served.spooled == []


@pytest.mark.req("RTE-4")
def test_a_full_store_is_a_452_and_passes(special: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store has no room: 452 for this message, everything before it kept, 250 once there is room."""
    served = special()
    wire = served.operator()
    assert wire.deliver(SENDER, MEDECIN, letter()).startswith("250")

    async def full(*_: object) -> None:
        raise StoreFull

    with monkeypatch.context() as patch:
        patch.setattr(type(served.parts.store), "accept", full)
        assert wire.deliver(SENDER, MEDECIN, letter()).startswith("452 4.3.1")
    assert wire.deliver(SENDER, MEDECIN, letter()).startswith("250")
    wire.close()


def test_our_own_fault_is_a_451_without_details(special: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The peer learns neither type nor text of the exception."""
    served = special()
    wire = served.operator()

    async def broken(*_: object) -> Refuse | None:
        raise KeyError("secret detail")

    monkeypatch.setattr(type(served.parts.intake), "recipient", broken)
    assert wire.command(f"MAIL FROM:<{SENDER}>").startswith("250")
    assert (
        wire.command(f"RCPT TO:<{MEDECIN}>") == "451 4.3.0 Something went wrong on our side; try again later"
    )
    assert wire.rest() == b""
    assert served.faults() == 1
    monkeypatch.undo()
    assert served.operator().deliver(SENDER, MEDECIN, letter()).startswith("250")


@pytest.mark.req("OPS-4")
def test_drain_lets_a_message_finish_and_ends_idle_sessions(special: Start) -> None:
    """On SIGTERM: idle sessions hear 421, the DATA under way ends with 250, then nobody is served any more."""
    served = special()
    idle, busy = served.operator(), served.operator()
    busy.envelope(SENDER, MEDECIN)
    message_id = unique()
    busy.command("DATA")
    octets = letter(message_id=message_id)
    busy.send(octets[:50])
    served.ask_to_stop()
    assert idle.reply().startswith("421 4.3.2")
    assert idle.rest() == b""
    busy.send(octets[50:] + b".\r\n")
    assert busy.reply().startswith("250 2.0.0")
    assert busy.reply().startswith("421 4.3.2")
    assert busy.rest() == b""
    served.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", served.handout.ports.mta))


def test_implicit_tls_serves_too(special: Start) -> None:
    """Port 465: TLS from the first octet."""
    served = special()
    account = served.account("PER")
    wire = Smtp(served.handout.ports.submissions, tls(served.handout))
    assert "STARTTLS" not in wire.hello()
    wire.login(account.login, account.password)
    message_id = unique()
    assert wire.deliver(MEDECIN, MEDECIN, letter(MEDECIN, message_id=message_id)).startswith("250")
    wire.close()
    assert os.listdir(served.settings.store.path / "spool") == []
