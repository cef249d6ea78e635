"""For whom else somebody may write, without opening their mailboxes (BAL-6)."""

from __future__ import annotations

from mss_gateway.mail.address import parse_address
from mss_gateway.ports.store import DirectoryRows
from mss_gateway.rules.boxes import DELEGABLE
from mss_gateway.rules.facts import Delegated


async def delegated_to(rows: DirectoryRows, person_id: int) -> tuple[Delegated, ...]:
    """Every mailbox delegated to a person, in whatever state and whether its time has come or not.

    The rules judge state and time at each message, so that a refusal can say why; a row costs a look-up of what the
    store remembers, and most people have none.
    """
    found = []
    for one in await rows.delegations(person_id=person_id):
        box = await rows.box_by_id(one.box_id)
        if box is not None and box.type in DELEGABLE:
            found.append(Delegated(parse_address(box.address).key, one.begins, one.ends))
    return tuple(found)
