"""Whether backups are whole: every list of files, every piece of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mss_gateway.ports.keeping import KeepProblem

from .backup import Report
from .backup_chunks import BackupKey, ChunkStore
from .backup_manifest import Manifest, choose, manifest_paths, read_manifest


def verify_backups(target: Path, key: BackupKey | None, which: str, report: Report) -> dict[str, Any]:
    """Read every piece of one backup or of all; each fault names the backups that need the piece."""
    sealed, plain = ChunkStore(target, key), ChunkStore(target)
    manifests: list[Manifest] = []
    findings: list[dict[str, str]] = []
    if which or not manifest_paths(target):
        manifests.append(choose(target, which, key))
    else:
        for path in manifest_paths(target):
            try:
                manifests.append(read_manifest(path, key))
            except KeepProblem as problem:
                findings.append(_finding(path.stem, problem.sentence, problem.reason))
    users: dict[tuple[str, bool], list[str]] = {}
    for manifest in manifests:
        for name in manifest.chunks:
            users.setdefault((name, manifest.encrypted), []).append(manifest.id)
    octets = 0
    for number, ((name, encrypted), backups) in enumerate(users.items()):
        try:
            octets += len((sealed if encrypted else plain).get(name))
        except KeepProblem as problem:
            findings.append(_finding(", ".join(backups), problem.sentence, problem.reason))
        report("pieces", number + 1, len(users))
    return {
        "whole": not findings,
        "findings": findings,
        "backups": [manifest.id for manifest in manifests],
        "pieces": len(users),
        "octets": octets,
    }


def _finding(where: str, sentence: str, reason: str) -> dict[str, str]:
    step = "make a new backup with --full-read, which writes damaged pieces again, and look at the disk"
    return {"check": reason, "row": f"backup {where}", "what": sentence, "next_step": step}


def list_backups(target: Path) -> list[dict[str, Any]]:
    """What there is, the newest first; needs no key."""
    rows: list[dict[str, Any]] = []
    for path in manifest_paths(target):
        try:
            one = read_manifest(path, None, trust=True)
        except KeepProblem as problem:
            rows.append({"backup": path.stem, "problem": problem.sentence})
            continue
        rows.append(
            {
                "backup": one.id,
                "at": one.at,
                "seconds": round(one.ended_at - one.at, 3),
                "octets": one.octets,
                "written": one.written,
                "messages": one.counts.get("messages", 0),
                "encrypted": one.encrypted,
                "gateway": one.gateway,
            }
        )
    return rows
