"""What the benches of the way out count: the sink's notes, and why a message arrived twice."""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.destination import Record
from bench.kill_sender import SenderKillFigures, _compare
from bench.load import Peer
from bench.messages import Message, Target, build
from mss_gateway.dev.pki import Subject, new_pki
from tests.support.foreign import Daemon, free_ports, listens


def target(port: int, folder: Path) -> Target:
    """The sink, seen by the load generator."""
    address = "bench@clinique-exemple.mssante.fr"
    files = (folder / "ca.pem", folder / "client.pem", folder / "client.key")
    return Target(port, 0, *files, sender=address, recipient="dr@operateur.mssante.fr", login="", password="")


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Target]:
    """A sink with one worker, its notes in `notes` of the temporary folder."""
    pki = new_pki()
    (tmp_path / "ca.pem").write_bytes(pki.ca_pem)
    cert, key = pki.organisations.issue(Subject("mx.operateur.example")).write(tmp_path, "server")
    pki.organisations.issue(Subject("mx.clinique.example")).write(tmp_path, "client")
    (tmp_path / "notes").mkdir()
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "bench.relay_sink", str(tmp_path / "notes"), str(cert), str(key)]
    daemon = Daemon("sink", [*command, str(tmp_path / "ca.pem"), "1", str(port)], tmp_path / "sink.log")
    daemon.start(lambda: listens(port))
    try:
        yield target(port, tmp_path)
    finally:
        daemon.stop()


def noted(folder: Path, messages: int, endings: int) -> Record:
    """Wait for so many notes, and read them."""
    until = time.monotonic() + 60.0
    while True:
        record = Record()
        for path in (folder / "notes").glob("worker-*.log"):
            for line in path.read_text().splitlines():
                record.add(line)
        if record.messages >= messages and len(record.endings) >= endings:
            return record
        assert time.monotonic() < until, record
        time.sleep(0.02)


def chunked(message: Message) -> bytes:
    """The same message in two chunks, pipelined behind its envelope (RFC 3030)."""
    octets = (message.head + message.body).removesuffix(b".\r\n")
    first, last = octets[:700], octets[700:]
    return b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n" + b"BDAT %d\r\n%bBDAT %d LAST\r\n%b" % (
        len(first),
        first,
        len(last),
        last,
    )


def test_sink_counts_messages_of_both_kinds(sink: Target, tmp_path: Path) -> None:
    """DATA and BDAT on one connection; each id is noted once, with its connection, port and cipher."""
    one, two, three = build(sink, 3, 4096, "sink")
    peer = Peer(sink, sink.tls())
    peer.send(one)
    peer._socket.sendall(chunked(two))
    assert peer._answers(4).count(b"250 ") == 4
    peer.send(three)
    peer.close()
    record = noted(tmp_path, 3, 1)
    assert set(record.arrivals) == {one.id, two.id, three.id}
    assert {copy.port for found in record.arrivals.values() for copy in found} == {sink.smtp_port}
    assert record.connections == 1
    assert len(record.ciphers) == 1
    (ending,) = record.endings.values()
    assert ending.gone_on  # it said QUIT


def test_sink_takes_nobody_without_certificate(sink: Target, tmp_path: Path) -> None:
    """A client without a certificate delivers nothing."""
    with pytest.raises(OSError, match=r"."):  # in TLS 1.3 the first answer tells, not the handshake
        Peer(sink, sink.tls(client=False))
    assert noted(tmp_path, 0, 0).messages == 0


def test_sink_tells_a_reset_from_an_end(sink: Target, tmp_path: Path) -> None:
    """A process that ends without having read the 250 resets the connection; one that has read it does not."""
    read, unread = build(sink, 2, 4096, "end")
    first = Peer(sink, sink.tls())
    first.send(read)
    first.close(quit_first=False)
    second = Peer(sink, sink.tls())
    second._socket.sendall(second._envelope)
    second._answers(3)
    second._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    second._socket.sendall(unread.head + unread.body)
    noted(tmp_path, 2, 1)
    second.close(quit_first=False)
    record = noted(tmp_path, 2, 2)
    ends = {ident: record.endings[copies[0].connection] for ident, copies in record.arrivals.items()}
    assert not ends[read.id].reset
    assert ends[unread.id].reset
    assert not any(end.gone_on for end in ends.values())


def kill_record(*lines: str) -> Record:
    """What the sink's workers wrote."""
    record = Record()
    for line in lines:
        record.add(line)
    return record


def compared(accepted: set[str], *lines: str) -> SenderKillFigures:
    """The figures for these notes."""
    return _compare(accepted, kill_record(*lines))


def test_accepted_and_never_seen_is_lost() -> None:
    """What had its 250 and is not in the sink is lost; what had none and is there is not."""
    found = compared({"a", "b"}, "m 1.0 w.1 25 a", "m 2.0 w.1 25 c")
    assert (found.accepted, found.arrived, found.lost, found.extra) == (2, 1, 1, 1)
    assert found.lost_ids == ["b"]
    assert not found.clean


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        ("x 5.2000 w.1 25 0 1", "unread"),
        ("x 5.0005 w.1 25 0 0", "unread"),
        ("x 5.2000 w.1 25 0 0", "unkept"),
        ("x 5.2000 w.1 25 1 1", "unkept"),
        ("x 9.0000 w.1 25 1 0", "other"),
        ("x 9.0000 w.1 25 0 0", "other"),
    ],
)
def test_why_a_message_came_twice(end: str, kind: str) -> None:
    """Reset or nobody there: the answer was not read; soon after: it was not on disk; anything else must not be."""
    found = compared({"a"}, "m 5.0 w.1 25 a", end, "m 6.0 w.2 25 a")
    assert {name for name in ("unread", "unkept", "other") if getattr(found, name)} == {kind}
    assert found.clean is (kind != "other")


def test_a_copy_on_a_connection_that_never_ended_is_unexplained() -> None:
    """A sender that sends twice over a connection that lives has no excuse."""
    assert compared({"a"}, "m 5.0 w.1 25 a", "m 5.1 w.1 25 a").other == 1
