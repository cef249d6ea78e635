"""Step 6 of the line: from decisions to the places where one message goes (RTE-1..3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from mss_gateway.mail.envelope import Recipient

from .actions import (
    Accept,
    Action,
    AddHeader,
    Bounce,
    Deliver,
    Discard,
    GuardChannel,
    OweReceipt,
    Relay,
    SetChannel,
)

A = TypeVar("A")


@dataclass(slots=True)
class Route:
    """Where one message goes and what else its acceptance brings; each thing once."""

    local: list[Deliver] = field(default_factory=list)
    relay: dict[str, list[Recipient]] = field(default_factory=dict)
    headers: list[AddHeader] = field(default_factory=list)
    channels: list[SetChannel] = field(default_factory=list)
    guards: list[GuardChannel] = field(default_factory=list)
    bounces: list[Bounce] = field(default_factory=list)
    discards: list[Discard] = field(default_factory=list)
    receipts: list[OweReceipt] = field(default_factory=list)


def route(decided: Iterable[tuple[Recipient, Accept]]) -> Route:
    """Group the actions of all recipients; two addresses of one box make one copy (RTE-4)."""
    found = Route()
    for recipient, accept in decided:
        for action in accept.actions:
            _add(found, recipient, action)
    return found


def _add(found: Route, recipient: Recipient, action: Action) -> None:
    match action:
        case Relay(domain):
            found.relay.setdefault(domain, []).append(recipient)
        case Deliver():
            _once(found.local, action)
        case AddHeader():
            _once(found.headers, action)
        case SetChannel():
            _once(found.channels, action)
        case GuardChannel():
            _once(found.guards, action)
        case Bounce():
            _once(found.bounces, action)
        case Discard():
            _once(found.discards, action)
        case OweReceipt():
            _once(found.receipts, action)


def _once(found: list[A], action: A) -> None:
    if action not in found:
        found.append(action)
