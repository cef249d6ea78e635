"""Step 6 of the line: from decisions to the places where one message goes (RTE-1..3)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

from mss_gateway.mail.envelope import Recipient

from .actions import (
    Accept,
    Action,
    AddHeader,
    AlertPatient,
    Bounce,
    Deliver,
    Discard,
    EndExchange,
    FileCopy,
    GuardChannel,
    InExchange,
    OweReceipt,
    Relay,
    SayClosed,
    SetChannel,
    WarnNearMiss,
)


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
    receipts: list[tuple[OweReceipt, Recipient]] = field(default_factory=list)
    copies: list[FileCopy] = field(default_factory=list)
    exchanges: list[InExchange] = field(default_factory=list)
    near_misses: list[WarnNearMiss] = field(default_factory=list)
    closings: list[SayClosed] = field(default_factory=list)
    ends: list[EndExchange] = field(default_factory=list)
    alerts: list[AlertPatient] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _known: set[Hashable] = field(default_factory=set, repr=False, compare=False)

    def is_new(self, thing: Hashable) -> bool:
        """True the first time; a thousand recipients bring tens of thousands of actions, so no list is searched."""
        if thing in self._known:
            return False
        self._known.add(thing)
        return True


def route(decided: Iterable[tuple[Recipient, Accept]]) -> Route:
    """Group the actions of all recipients; two addresses of one box make one copy (RTE-4)."""
    found = Route()
    for recipient, accept in decided:
        found.warnings += [warning for warning in accept.warnings if found.is_new(warning)]
        for action in accept.actions:
            _add(found, recipient, action)
    return found


_LISTS: dict[type[Action], str] = {
    Deliver: "local",
    AddHeader: "headers",
    SetChannel: "channels",
    GuardChannel: "guards",
    Bounce: "bounces",
    Discard: "discards",
    FileCopy: "copies",
    InExchange: "exchanges",
    WarnNearMiss: "near_misses",
    SayClosed: "closings",
    EndExchange: "ends",
    AlertPatient: "alerts",
}
"""Where each action is collected; the two others need the recipient."""


def _add(found: Route, recipient: Recipient, action: Action) -> None:
    match action:
        case Relay(domain):
            found.relay.setdefault(domain, []).append(recipient)
        case OweReceipt(box_id):
            if found.is_new((OweReceipt, box_id)):
                found.receipts.append((action, recipient))
        case _:
            if found.is_new((type(action), action)):  # the hash of a dataclass does not tell its type
                getattr(found, _LISTS[type(action)]).append(action)
