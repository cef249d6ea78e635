"""A gateway in a process of its own, to be measured and killed."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from mss_gateway.dev.handout import Handout, Ports
from mss_gateway.settings.checks import DOORS
from tests.support.doors import copy_state, sample
from tests.support.ports import free_ports

START = 90.0  # seconds; only a gateway that does not start reaches it
PAGE = os.sysconf("SC_PAGE_SIZE")


class GatewayProcess:
    """`mss-gateway serve` over a copy of the sample's state in `folder`.

    `limits` are further lines of [limits], `relay` is the `routes` line of [relay], `more` further sections.
    """

    def __init__(self, folder: Path, limits: str = "", relay: str = "", more: str = "") -> None:
        settings, handout = sample()
        self.folder = folder
        copy_state(settings, folder)
        ports = dict(zip(DOORS, free_ports(len(DOORS)), strict=True))
        text = settings.path.read_text(encoding="utf-8")
        for door, port in ports.items():
            text = re.sub(rf'(?m)^{door} = \["127.0.0.1:\d+"\]', f'{door} = ["127.0.0.1:{port}"]', text)
        text = text.replace("[limits]\n", f"[limits]\n{limits}\n")
        if relay:  # in the place of the sample's routes, which lead to nobody
            text = re.sub(r"(?m)^routes = .*$", lambda _: relay, text)
        text += more
        self.config = folder / "gateway.toml"
        self.config.write_text(text, encoding="utf-8")
        self.handout: Handout = replace(handout, ports=Ports(**ports), state=str(folder))
        self.log = folder / "log"
        self.start()

    @property
    def command(self) -> list[str]:
        """How it is started."""
        return [sys.executable, "-m", "mss_gateway", "serve", "--config", str(self.config)]

    def start(self) -> None:
        """Start it and wait until it serves."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        limit = time.monotonic() + START
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.handout.ports.imaps), 1.0).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > limit:
                    raise RuntimeError(self.log.read_text(encoding="utf-8", errors="replace")) from None
                time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL, in the middle of whatever it does."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    @property
    def resident(self) -> int:
        """Octets of memory in use that no file on disk backs."""
        fields = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()
        return (int(fields[1]) - int(fields[2])) * PAGE

    @property
    def spooled(self) -> list[Path]:
        """Files in the spool folder."""
        return list((self.folder / "store" / "spool").iterdir())
