"""`explain`: facts, every rule's verdict and the route of a message, touching nothing (OPS-3)."""

from __future__ import annotations

import base64
import time
from dataclasses import asdict
from itertools import count

from mss_gateway.base.errors import InvalidValue, Refuse
from mss_gateway.mail.address import Address, parse_address
from mss_gateway.mail.envelope import Recipient
from mss_gateway.pipeline.gather import Gather
from mss_gateway.pipeline.reading import Reader
from mss_gateway.pipeline.spool import Spooled, header_size
from mss_gateway.rules.actions import Accept, Action
from mss_gateway.rules.facts import BoxType, Caller, CallerKind, Facts, Party, Place
from mss_gateway.rules.ins import mask_text
from mss_gateway.rules.policy import decide, verdicts
from mss_gateway.rules.routing import route
from mss_gateway.rules.senders import PATIENT_PLACES

from .operation import CONFLICT, USAGE, Arguments, Operation, OperationRefused, Result, text, texts

PIECE = 1_500_000
"""Octets of a message in one request; a line of the control socket holds them in base64."""

UPLOADS = 4  # messages that come in pieces, at the same time
REFUSED = 1  # exit code of a message that would be refused
LARGEST = 64 * 1024 * 1024
"""Octets of a message that is looked at; the doors take less."""

_KINDS = {BoxType.APP: CallerKind.APPLICATION, BoxType.PAT: CallerKind.PATIENT}


class ExplainOperations:
    """`explain message.eml --from A --to B`."""

    def __init__(self, gather: Gather, reader: Reader) -> None:
        self._gather = gather
        self._reader = reader
        self._uploads: dict[str, bytearray] = {}
        self._numbers = count(1)

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"explain": self.explain, "explain.piece": self.piece}

    async def piece(self, arguments: Arguments) -> Result:
        """Keep some octets of a large message; the first piece names no upload and is given one."""
        name = text(arguments, "upload", "")
        if not name:
            if len(self._uploads) >= UPLOADS:
                del self._uploads[next(iter(self._uploads))]  # whoever brought it has gone
            name = str(next(self._numbers))
            self._uploads[name] = bytearray()
        octets = _octets(arguments)
        held = self._uploads.get(name)
        if held is None:
            raise _no_upload()
        if len(held) + len(octets) > LARGEST:
            del self._uploads[name]
            sentence = f"The message is larger than {LARGEST} octets: every door refuses it with 552 5.3.4"
            raise OperationRefused(sentence, "too-big", REFUSED)
        held += octets
        return {"upload": name}

    def _message(self, arguments: Arguments) -> bytes:
        """The whole message, given at once or in pieces; raises `OperationRefused`."""
        name = text(arguments, "upload", "")
        if not name:
            return _octets(arguments)
        held = self._uploads.pop(name, None)
        if held is None:
            raise _no_upload()
        return bytes(held)

    async def explain(self, arguments: Arguments) -> Result:
        """Decide on a message as the daemon would, for each recipient."""
        octets = self._message(arguments)
        size = header_size(octets) or len(octets)
        sender = text(arguments, "from")
        now = time.time()
        party = await self._party("from", sender) if sender not in ("", "<>") else None
        caller = self._caller(party)
        recipients = [await self._party("to", one) for one in texts(arguments, "to")]
        patients = sum(recipient.place in PATIENT_PLACES for recipient in recipients)
        reading = await self._reader.read(
            Spooled(octets[:size], octets[size:], len(octets)), patients=patients, null_sender=party is None
        )
        message = reading.facts
        answers, decided = [], []
        for recipient in recipients:
            facts = await self._gather.message(now, caller, party, recipient, message, patients)
            decision = decide(facts)
            if isinstance(decision, Accept):
                decided.append((Recipient(recipient.address), decision))
            answers.append(_answer(facts, recipient, decision))
        plan = route(decided)
        return {
            "caller": {"kind": caller.kind.value, "auth": caller.auth},
            "sender": _party_record(party),
            "message": _masked(asdict(message)),
            "recipients": answers,
            "route": {
                "mailboxes": len(plan.local),
                "relay": sorted(plan.relay),
                "headers_added": [f"{header.name}: {header.value}" for header in plan.headers],
            },
            "accepted": len(decided) == len(answers),
        }

    async def _party(self, name: str, value: str) -> Party:
        try:
            return await self._gather.listed(await self._gather.book.party(parse_address(value)))
        except InvalidValue as invalid:
            raise OperationRefused(f"{name}: {invalid.public}", invalid.reason, USAGE) from None

    def _caller(self, party: Party | None) -> Caller:
        """Who would be speaking: the holder of a hosted sender, else the operator that lists its domain."""
        if party is None or party.place not in (Place.HOSTED, Place.PATIENT_HOSTED):
            domains = (
                frozenset({party.address.domain})
                if party and party.place is not Place.OUTSIDE
                else frozenset()
            )
            return Caller(CallerKind.OPERATOR, "explain", "explain", "mtls", domains=domains)
        kind = _KINDS.get(party.box.type, CallerKind.PERSON) if party.box else CallerKind.PERSON
        boxes = frozenset({party.address.key}) if party.box else frozenset()
        return Caller(kind, "explain", "explain", "plain", boxes=boxes)


def _octets(arguments: Arguments) -> bytes:
    try:
        return base64.b64decode(text(arguments, "message"), validate=True)
    except ValueError:
        raise OperationRefused("The message is not base64", "bad-argument", USAGE) from None


def _no_upload() -> OperationRefused:
    return OperationRefused("The message was begun too long ago: start again", "no-upload", CONFLICT)


def _answer(facts: Facts, recipient: Party, decision: Accept | Refuse) -> Result:
    found: Result = {
        "recipient": _party_record(recipient),
        "channel": {"state": facts.channel.state.value, "version": facts.channel.version},
        "verdicts": [
            {
                "rule": verdict.rule,
                "ids": verdict.ids,
                "refuse": verdict.refuse.reason if verdict.refuse else None,
            }
            for verdict in verdicts(facts)
        ],
    }
    if isinstance(decision, Refuse):
        reply = f"{decision.code} {decision.enhanced} {decision.public}"
        return {**found, "decision": "refuse", "reply": reply, "reason": decision.reason}
    return {**found, "decision": "accept", "actions": [_action(action) for action in decision.actions]}


def _action(action: Action) -> Result:
    return {"action": type(action).__name__, **_masked(asdict(action))}


def _party_record(party: Party | None) -> Result:
    if party is None:
        return {"address": "<>"}
    found: Result = {"address": mask_text(str(party.address)), "place": party.place.value}
    if party.box is not None:
        found |= {"type": party.box.type.value, "state": party.box.state.value}
    elif party.listed is not None:  # nothing is decided on it
        found |= {
            "type": party.listed.type.value,
            "listed": asdict(party.listed) | {"type": party.listed.type.value},
        }
    return found


def _masked(value: object) -> Result:
    """A record as JSON values with every INS masked; the subject is told by its length, files by their type (AUD-5)."""
    shown: Result = {}
    assert isinstance(value, dict)
    for name, item in value.items():
        if name == "subject":
            shown["subject_length"] = len(item)
        elif name == "attachments":
            shown[name] = [file["media_type"] for file in item]
        elif name != "from_name":
            shown[name] = _plain(item)
    return shown


def _plain(item: object) -> object:
    if isinstance(item, dict) and set(item) == {"local", "domain"}:
        return mask_text(str(Address(item["local"], item["domain"])))
    if isinstance(item, dict):
        return {name: _plain(inner) for name, inner in item.items()}
    if isinstance(item, list | tuple):
        return [_plain(inner) for inner in item]
    if isinstance(item, frozenset | set):
        return sorted(str(_plain(inner)) for inner in item)
    if isinstance(item, str):
        return mask_text(item)
    return getattr(item, "value", item)
