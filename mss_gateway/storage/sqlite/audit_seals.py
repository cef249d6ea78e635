"""Seals: where the chain stood at a moment, in a file that only grows (AUD-1)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import orjson

from .audit_chain import Chain, Keys, seal_text

_TAIL = 4096  # octets at the end of the file in which the newest seal is looked for


@dataclass(frozen=True, slots=True)
class Seal:
    """The line that is the seal, its link, and when it was set."""

    line_id: int
    link: bytes
    at: float


def append_seal(path: Path, seal: Seal, chain: Chain) -> None:
    """Write a seal behind the others, durably; raises OSError."""
    proof = chain.sign(seal_text(seal.line_id, seal.link, seal.at))
    line = {"line": seal.line_id, "at": seal.at, "link": seal.link.hex(), "proof": proof.hex()}
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(fd, "ab") as file:
        if file.tell() and not _ends_well(path):
            file.write(b"\n")  # a gateway was killed while it wrote the last one
        file.write(orjson.dumps(line) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _ends_well(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def read_seals(path: Path, keys: Keys) -> tuple[list[Seal], int]:
    """The seals of the file, and how many lines of it are none of ours; no file is no seal."""
    seals: list[Seal] = []
    forged = 0
    signers = list(keys.linkers().values())
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return [], 0
    torn = lines.pop()
    for number, line in enumerate(lines):
        seal = _seal_of(line)
        proof = b"" if seal is None else seal_text(seal[0].line_id, seal[0].link, seal[0].at)
        if seal is None or all(sign(proof) != seal[1] for sign in signers):
            # The beginning of a line whose end was lost in a crash is not somebody's work.
            forged += not (seal is None and number < len(lines) and not line.endswith(b"}"))
        else:
            seals.append(seal[0])
    forged += torn.endswith(b"}")
    return seals, forged


def newest_seal(path: Path, keys: Keys) -> Seal | None:
    """The last seal of the file that is one of ours, read from the end; None when there is none there."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return None
    signers = list(keys.linkers().values())
    for line in reversed(lines):
        found = _seal_of(line)
        if found is not None:
            seal, proof = found
            if any(sign(seal_text(seal.line_id, seal.link, seal.at)) == proof for sign in signers):
                return seal
    return None


def _seal_of(line: bytes) -> tuple[Seal, bytes] | None:
    try:
        found = orjson.loads(line)
        seal = Seal(int(found["line"]), bytes.fromhex(found["link"]), float(found["at"]))
        return seal, bytes.fromhex(found["proof"])
    except (ValueError, KeyError, TypeError):
        return None
