"""Paths that canary words walk besides the straight ones; whoever adds a door or a command adds a path here (AUD-5).

A path is a function of the scene. What it is told goes to `scene.heard`, what a command prints to `scene.printed`; log,
timeline and files of the gateway are looked through afterwards in any case.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress

from tests.support.canary import PASSWORD, TOKEN, UNKNOWN, Scene
from tests.support.canary_ops import (
    delegated,
    directory,
    failing,
    filled,
    kept,
    ops_door,
    people,
    scram,
    tokens,
)
from tests.support.commands import run
from tests.support.wires import Closed

Path = Callable[[Scene], None]
"""One walk; it may fail as it likes, but never hang."""


def challenged_logins(scene: Scene) -> None:
    """SCRAM and tokens of people who are there and who are not, over both protocols, whole and torn."""
    handout = scene.gateway.handout
    for login in (handout.account("PER").login, f"{UNKNOWN}@patient.mssante.fr"):
        proof = b64encode(PASSWORD.encode()).decode()
        tries = (
            ("SCRAM-SHA-256", (f"n,,n={login},r={PASSWORD}", f"c=biws,r={PASSWORD},p={proof}")),
            ("SCRAM-SHA-256", (f"n,a={login},n={UNKNOWN},r={PASSWORD}",)),
            ("XOAUTH2", (f"user={login}\x01auth=Bearer {TOKEN}\x01\x01", "")),
            ("XOAUTH2", (f"user={login}\x01auth=Basic {TOKEN}", "")),
            ("OAUTHBEARER", (f"n,a={login},\x01host={UNKNOWN}\x01auth=Bearer {TOKEN}.{TOKEN}.{TOKEN}\x01\x01", "AQ==")),
            ("LOGIN", (login, PASSWORD)),
        )  # fmt: skip
        for mechanism, steps in tries:
            _over_smtp(scene, mechanism, steps)
            _over_imap(scene, mechanism, steps)


def _over_smtp(scene: Scene, mechanism: str, steps: tuple[str, ...]) -> None:
    wire = scene.smtp(scene.gateway.handout.ports.submission)
    with suppress(Closed, OSError):
        reply = wire.command(f"AUTH {mechanism}")
        for step in steps:
            if reply.startswith("334"):
                reply = wire.command(b64encode(step.encode()).decode())
    wire.close()


def _over_imap(scene: Scene, mechanism: str, steps: tuple[str, ...]) -> None:
    wire = scene.imap()
    with suppress(Closed, OSError):
        first = b64encode(steps[0].encode()).decode()
        tag = wire.begin(f"AUTHENTICATE {mechanism} {first}")
        for step in (*steps[1:], "*", "*"):
            line = wire.line()
            scene.heard.append(line.decode("utf-8", "replace"))
            if line.startswith(tag):
                break
            wire.send(b64encode(step.encode()) + b"\r\n" if step != "*" else b"*\r\n")
    wire.close()


def evidence(scene: Scene) -> None:
    """The trace as it is exported, verified and counted, with an INS in every argument."""
    day = time.strftime("%Y-%m-%d")
    days = ("--from", day, "--until", day)
    doctor, patient = scene.gateway.handout.account("PER").address, scene.gateway.handout.patients.active
    for words in (
        ("audit", "verify", "--json"),
        ("audit", "export", "--all", *days),
        ("audit", "export", "--all", *days, "--ids", "--format", "json"),
        ("audit", "export", "--bal", doctor, *days),
        ("audit", "export", "--bal", patient, *days),
        ("audit", "export", "--bal", f"{UNKNOWN}@patient.mssante.fr", *days),
        ("audit", "export", "--bal", UNKNOWN, "--from", UNKNOWN, "--until", day),
        ("audit", "purge", "--before", UNKNOWN),
        ("indicators", "--json"),
        ("indicators", "--month", UNKNOWN),
        ("indicators", "--format", "csv", "--connections"),
    ):
        said = run(*words, "--config", str(scene.gateway.config))[1]
        scene.printed.append(" ".join(words[:2]) + "\n" + said)


PATHS: tuple[Path, ...] = (
    challenged_logins,
    ops_door,
    tokens,
    scram,
    directory,
    people,
    delegated,
    filled,
    kept,
    failing,
    evidence,
)
"""Every path, in the order in which they are walked."""
