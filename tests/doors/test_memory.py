"""Large messages pass with flat memory: a process is measured while 50 MB go through it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mss_gateway.dev.wire import tls
from tests.support.letters import MEDECIN, SENDER, letter
from tests.support.process import GatewayProcess
from tests.support.wires import Imap, Smtp

SIZE = 50 * 1024 * 1024
MOST = 2 * 1024 * 1024  # octets that one connection may add
LINE = b"m" * 1022 + b"\r\n"


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway that takes 60 MB and has already carried one large message each way."""
    gateway = GatewayProcess(tmp_path_factory.mktemp("memory"), f"message_size = {60 * 1024 * 1024}")
    wire = operator(gateway)
    send_data(wire)
    send_chunks(wire)
    wire.close()
    imap = reader(gateway)
    read_whole(imap)
    imap.close()
    yield gateway
    assert gateway.stop() == 0


def operator(gateway: GatewayProcess) -> Smtp:
    """A session of the foreign operator under mutual TLS."""
    wire = Smtp(gateway.handout.ports.mta)
    wire.hello()
    wire.start_tls(tls(gateway.handout, gateway.handout.operator))
    wire.hello()
    return wire


def reader(gateway: GatewayProcess) -> Imap:
    """The professional's INBOX."""
    imap = Imap(gateway.handout.ports.imaps, tls(gateway.handout))
    account = gateway.handout.account("PER")
    imap.ok(f"LOGIN {account.login} {account.password}")
    imap.ok("SELECT INBOX")
    return imap


def send_data(wire: Smtp) -> None:
    """50 MB by DATA."""
    wire.envelope(SENDER, MEDECIN)
    wire.command("DATA")
    wire.send(letter(text=b""))
    piece = LINE * 256
    for _ in range(SIZE // len(piece)):
        wire.send(piece)
    wire.send(b".\r\n")
    assert wire.reply().startswith("250")


def send_chunks(wire: Smtp) -> None:
    """50 MB by BDAT, 1 MB a chunk."""
    wire.envelope(SENDER, MEDECIN)
    head = letter(text=b"")
    wire.send(b"BDAT %d\r\n" % len(head) + head)
    assert wire.reply().startswith("250")
    piece = LINE * 1024
    for _ in range(SIZE // len(piece)):
        wire.send(b"BDAT %d\r\n" % len(piece))
        wire.send(piece)
        assert wire.reply().startswith("250")
    wire.send(b"BDAT 0 LAST\r\n")
    assert wire.reply().startswith("250 2.0.0 Stored")


def read_whole(imap: Imap) -> None:
    """FETCH BODY[] of the first message, its octets counted and let go."""
    tag = imap.begin("FETCH 1 (BODY.PEEK[])")
    found = re.search(rb"\{(\d+)\}", imap.line())
    assert found
    left = int(found[1])
    assert left > SIZE
    while left:
        if not imap.buffer:
            imap._more()
        piece = imap.take(min(left, len(imap.buffer)))
        left -= len(piece)
    imap.line()
    assert imap.until(tag)[1].startswith(b"OK")


@contextmanager
def growth(gateway: GatewayProcess) -> Iterator[list[int]]:
    """Collects in its list the highest growth of memory while the block runs."""
    before = gateway.resident
    highest = [0]
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            highest[0] = max(highest[0], gateway.resident - before)
            time.sleep(0.005)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield highest
    finally:
        stop.set()
        watcher.join()


@pytest.mark.slow
@pytest.mark.parametrize("send", [send_data, send_chunks], ids=["DATA", "BDAT"])
def test_fifty_megabytes_in_add_less_than_two(measured: GatewayProcess, send: object) -> None:
    """Issue 2: a 50 MB message adds less than 2 MB of memory to its connection."""
    assert callable(send)
    with growth(measured) as highest:
        wire = operator(measured)
        send(wire)
        wire.close()
    assert highest[0] < MOST, f"{highest[0] / 1e6:.1f} MB"
    assert measured.spooled == []


@pytest.mark.slow
def test_fifty_megabytes_out_add_less_than_two(measured: GatewayProcess) -> None:
    """FETCH streams from the store, as fast as the client reads."""
    with growth(measured) as highest:
        imap = reader(measured)
        read_whole(imap)
        imap.close()
    assert highest[0] < MOST, f"{highest[0] / 1e6:.1f} MB"


@pytest.mark.slow
def test_four_large_messages_at_once(measured: GatewayProcess) -> None:
    """Each of four connections stays under its share."""
    wires = [operator(measured) for _ in range(4)]
    send_each = [threading.Thread(target=send_data, args=(wire,)) for wire in wires]
    with growth(measured) as highest:
        for thread in send_each:
            thread.start()
        for thread in send_each:
            thread.join()
    for wire in wires:
        assert wire.command("QUIT").startswith("221")
    assert highest[0] < 4 * MOST, f"{highest[0] / 1e6:.1f} MB"
