"""Steps of the tour on the national directory: a copy is imported, searched, and shown by `explain`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from .annuaire import NAME, line, lines, write
from .tour import Stage, Step, expect


def imported(stage: Stage) -> str:
    """OPS-1: an extraction is imported beside the running gateway, which takes it up at once."""
    body = [
        line(_colleague(stage), person=("LEFÈVRE", "ZOÉ"), house="CENTRE HOSPITALIER DU CŒUR"),
        *lines(2000),
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / NAME, body)
        stage.command(stage.handout, "directory", "import", str(path), "--force")
    status = stage.asked(stage.handout, "directory.status")
    expect(status["copy"] is not None, f"no copy is in force: {status}")
    expect(status["copy"]["rows"] == len(body), f"other rows are in force: {status['copy']}")
    return f"{status['copy']['rows']} rows of {status['copy']['addresses']} addresses, from {status['copy']['source']}"


def searched(stage: Stage) -> str:
    """OPS-1: found by name and structure, without accents, by the beginning of a word."""
    words = ("lefevre", "zoe", "coeu", "--department", "77", "--json")
    found = json.loads(stage.command(stage.handout, "directory", "search", *words))["rows"]
    expect([one["address"] for one in found] == [_colleague(stage)], f"something else was found: {found}")
    return f"lefevre zoe coeu → {found[0]['name']} {found[0]['first_name']}, {found[0]['address']}"


def shown(stage: Stage) -> str:
    """BAL-1, OPS-3: what the directory says of a sender elsewhere stands in `explain`."""
    message = stage.message("d-listed", _colleague(stage), stage.professional.address, "Avis", "Bonjour.\n")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "avis.eml"
        path.write_bytes(message.as_bytes())
        words = ("--from", _colleague(stage), "--to", stage.professional.address, "--json")
        told = json.loads(stage.command(stage.handout, "explain", str(path), *words))
    listed = told["sender"].get("listed", {})
    expect(listed.get("type") == "PER", f"the sender's type is not shown: {told['sender']}")
    return f"{listed['type']} · {listed['name']} · {listed['structure']} · {listed['source']}"


def _colleague(stage: Stage) -> str:
    """Somebody at another operator."""
    return f"zoe.lefevre@{stage.handout.operator.domain}"


DIRECTORY: tuple[Step, ...] = (
    Step("An extraction of the national directory is imported while the gateway runs", imported),
    Step("A colleague elsewhere is found by name and place", searched),
    Step("explain shows what the directory says of the sender", shown),
)
"""The national directory."""
