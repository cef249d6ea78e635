"""Steps of the tour on the outbound queue: what waits, why, and what an operator does about it."""

from __future__ import annotations

import json
from typing import Any

from . import wire
from .tour import Stage, Step, eventually, expect


def waits(stage: Stage) -> str:
    """QUE-3, TRU-5: mail to an operator that cannot be reached waits, and the queue says why and what to do."""
    message = stage.letter("q-waits", "Sans serveur", "Bonjour.\n", f"accueil@{_unreachable(stage)}")
    stage.send(stage.professional, message)
    rows: list[dict[str, Any]] = []

    def tried() -> bool:
        rows[:] = stage.asked(stage.handout, "queue.list", domain=_unreachable(stage))["rows"]
        return any("no-mx" in row["last_error"] for row in rows)

    eventually(tried, f"the message does not wait in the queue: {rows}")
    said = stage.command(stage.handout, "queue", "show", str(rows[-1]["id"]))
    expect("DNS" in said, f"the reason is not explained: {said}")
    return f"row {rows[-1]['id']}: {rows[-1]['last_error']}"


def held(stage: Stage) -> str:
    """QUE-3: held rows are not tried until they are released."""
    domain = _unreachable(stage)
    words = ("--domain", domain, "--reason", "visite guidée")
    stage.command(stage.handout, "queue", "hold", *words)
    states = {row["state"] for row in stage.asked(stage.handout, "queue.list", domain=domain)["rows"]}
    expect(states == {"held"}, f"not everything is held: {states}")
    stage.command(stage.handout, "queue", "release", *words)
    states = {row["state"] for row in stage.asked(stage.handout, "queue.list", domain=domain)["rows"]}
    expect("held" not in states, f"not everything was released: {states}")
    return f"held, then released; now {', '.join(sorted(states))}"


def cancelled(stage: Stage) -> str:
    """QUE-3, RCP-1: who wrote the message is told that it was withdrawn."""
    message = stage.messages["q-waits"]
    words = ("--message", str(message["Message-ID"]), "--reason", "adresse abandonnée", "--yes", "--json")
    told: dict[str, Any] = {}

    def withdrawn() -> bool:  # not while it is under way: what was released is being tried
        told.update(json.loads(stage.command(stage.handout, "queue", "cancel", *words)))
        return bool(told["rows"])

    eventually(withdrawn, f"the message was not withdrawn: {told}")
    report = stage.found(stage.professional, message, by="In-Reply-To").message
    fields = wire.report_fields(report)
    expect(fields.get("action") == "failed", f"the report says {fields.get('action')!r}")
    left = stage.asked(stage.handout, "queue.list", message=str(message["Message-ID"]))["rows"]
    expect(not left, f"rows are left: {left}")
    return f"{told} · « {report['Subject']} » · {fields.get('status')}"


def _unreachable(stage: Stage) -> str:
    """A domain of the trusted list that no server answers for."""
    return stage.handout.refused["revoked"].domain


QUEUE: tuple[Step, ...] = (
    Step("Mail to an operator that cannot be reached waits, and the queue says why", waits, three=True),
    Step("An operator holds it back and lets it go", held, three=True),
    Step("An operator withdraws it, and its sender is told", cancelled, three=True),
)
"""The outbound queue."""
