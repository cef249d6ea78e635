"""What failing logins take from the mail: how long a message takes, alone and while somebody guesses passwords.

`python -m bench.logins`: 4 KB messages over mutual TLS at a steady pace and at full speed, each alone, then while 20
logins a second fail (unknown accounts and wrong passwords in turns, from many addresses, so that no wait for one of
them stops the others), then alone again.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import itertools
import os
import shutil
import signal
import socket
import ssl
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from .load import HOST, Load, Peer, Plan
from .measure import LOOK_SECONDS, summarise
from .messages import Message, Target, build
from .processes import cpu_seconds
from .systems import Gateway, remove

PACE, SENDERS = 100.0, 4
"""Messages a second of the steady load, and its connections."""

GUESSES = 20.0
"""Logins a second that fail."""

AIM = 2.0
"""How many times its own p99 a message may take while they fail."""


class Paced:
    """A steady load: each sender sends on its beat, however long the one before took."""

    def __init__(self, target: Target, seconds: float) -> None:
        self._target, self._seconds = target, seconds
        self.taken: list[float] = []

    def run(self, mark: str) -> list[float]:
        """Send for that long; seconds of each message, from its beat to its 250."""
        messages = build(self._target, int(PACE * self._seconds) + SENDERS, 4096, mark)
        peers = [Peer(self._target, self._target.tls(client=True)) for _ in range(SENDERS)]
        start = time.perf_counter() + 0.2
        threads = [
            threading.Thread(target=self._send, args=(peer, messages[number::SENDERS], start + number / PACE))
            for number, peer in enumerate(peers)
        ]
        self.taken = []
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for peer in peers:
            peer.close(quit_first=False)
        return sorted(self.taken)

    def _send(self, peer: Peer, messages: Sequence[Message], first: float) -> None:
        for number, message in enumerate(messages):
            beat = first + number * SENDERS / PACE
            if beat > first + self._seconds:
                break
            time.sleep(max(0.0, beat - time.perf_counter()))
            peer.send(message)
            self.taken.append(time.perf_counter() - beat)


@contextlib.contextmanager
def guessing(port: int) -> Iterator[list[int]]:
    """A process that guesses at the submission port until the end of the block; counts of 535 and of other answers."""
    counts: list[int] = []
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        _guess(port, write)
    os.close(write)
    try:
        yield counts
    finally:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
        with os.fdopen(read, "rb") as said:
            lines = said.read().split()
        counts += [lines.count(b"535"), len(lines) - lines.count(b"535")]


def _guess(port: int, told: int) -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    started = time.perf_counter()
    wire: ssl.SSLSocket | None = None
    for number in itertools.count():
        time.sleep(max(0.0, started + number / GUESSES - time.perf_counter()))
        try:
            if wire is None:
                source = f"127.{number // 250 % 250 + 1}.{number % 250}.9"
                plain = socket.create_connection((HOST, port), 30, (source, 0))
                wire = context.wrap_socket(plain)
                wire.recv(4096)
                wire.sendall(b"EHLO guess.example\r\n")
                wire.recv(4096)
            who = (
                "medecin.exemple@clinique-exemple.mssante.fr" if number % 2 else f"inconnu{number}@exemple.fr"
            )
            wrong = base64.b64encode(f"\0{who}\0faux mot de passe {number}".encode())
            wire.sendall(b"AUTH PLAIN " + wrong + b"\r\n")
            os.write(told, wire.recv(4096)[:3] + b" ")
            if number % 2:
                wire.close()
                wire = None
        except OSError:
            os.write(told, b"000 ")
            wire = None


def p(taken: list[float], share: float) -> float:
    """A percentile in milliseconds."""
    return 1000 * taken[min(len(taken) - 1, int(len(taken) * share))]


def full(target: Target, count: int, mark: str) -> tuple[float, list[float]]:
    """Messages a second at full speed, and what each took."""
    load = Load(target, build(target, count, 4096, mark), Plan(False, 60.0))
    load.go()
    while not load.wait(LOOK_SECONDS):
        pass
    figures = summarise(load.started, load.shares)
    return figures.accepted_per_s, sorted(one for share in load.shares for one in share.seconds)


def main() -> int:
    """Print the table; 1 when the aim is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each steady load (default 20)")
    parser.add_argument("--turns", type=int, default=4, help="pairs of steady loads (default 4)")
    parser.add_argument(
        "--messages", type=int, default=3000, help="of each load at full speed (default 3000)"
    )
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mss-bench-"))
    system = Gateway(folder / "gateway")
    ratios = []
    try:
        target = system.start()
        full(target, 200, "warm")
        paced = Paced(target, options.seconds)
        found: dict[str, list[list[float]]] = {"alone": [], "guessed": []}
        for turn in range(options.turns):
            found["alone"].append(paced.run(f"a{turn}"))
            cpu = cpu_seconds(system.roots())
            with guessing(system.submissions) as counts:
                time.sleep(1.0)
                found["guessed"].append(paced.run(f"g{turn}"))
            spent = (cpu_seconds(system.roots()) - cpu) / (options.seconds + 1)
            print(
                f"  guesses: {counts[0]} answered 535, {counts[1]} otherwise; gateway used {spent:.2f} cores"
            )
        for name, turns in found.items():
            text = ", ".join(
                f"p50 {p(one, 0.5):.2f} p95 {p(one, 0.95):.2f} p99 {p(one, 0.99):.2f} ms" for one in turns
            )
            print(f"{PACE:.0f} messages a second, {name}: {text}")
        ratios.append(
            statistics.median(p(one, 0.99) for one in found["guessed"])
            / statistics.median(p(one, 0.99) for one in found["alone"])
        )
        print(f"  p99 while logins fail: {ratios[0]:.2f} times (aim at most {AIM:g})")
        alone, taken = full(target, options.messages, "fa")
        with guessing(system.submissions):
            time.sleep(1.0)
            beset, slower = full(target, options.messages, "fg")
        again, _ = full(target, options.messages, "fb")
        base = (alone + again) / 2
        print(
            f"full speed: alone {alone:.0f} and {again:.0f} a second, p99 {p(taken, 0.99):.1f} ms;"
            f" while logins fail {beset:.0f} ({beset / base:.2f}x), p99 {p(slower, 0.99):.1f} ms"
        )
    finally:
        system.stop()
        remove(folder / "gateway")
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if ratios and ratios[0] <= AIM else 1


if __name__ == "__main__":
    sys.exit(main())
