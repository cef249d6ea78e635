"""What the relay would make of a live server: the look at it, then the judgement of what it showed (TRU-5, TRU-8)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .contexts import probing_context
from .explain import explain
from .judgement import Explanation, Meeting, Role
from .material import own_files
from .probe import Place, ProbeOptions, Sight, probe

if TYPE_CHECKING:
    from .guard import Trust

SERVER = (Role.SERVER,)


def look(trust: Trust, place: Place, options: ProbeOptions) -> Sight:
    """Look at a server as our relay would, our certificate in hand; raises `TrustProblem` when that cannot be used.

    Blocking, for at most 40 seconds.
    """
    files, _ = own_files(trust.options)
    return probe(place, lambda lenient: probing_context(files, lenient=lenient), options)


def judge(trust: Trust, place: Place, sight: Sight, domain: str | None = None) -> Explanation:
    """What follows from a look, for letters to a domain when one is named; raises `InvalidValue`."""
    if not sight.chain:
        meeting = Meeting(Role.SERVER, False, sight.reason, "queue", f"{sight.status} {sight.text}")
        return Explanation(tuple(sight.steps), (meeting,))
    judged = explain(trust, sight.chain, roles=SERVER, domain=domain, peer=place.host)
    meetings = tuple(_met(sight, meeting) for meeting in judged.meetings)
    return replace(judged, steps=(*sight.steps, *judged.steps), meetings=meetings)


def _met(sight: Sight, meeting: Meeting) -> Meeting:
    """What comes first: our verdict on theirs is part of the handshake, theirs on ours follows, the DN comes last."""
    if not sight.reason or meeting.where == "dialogue":
        return meeting
    ours = sight.steps and any(step.name == "TLS" and step.reason == "" for step in sight.steps)
    if ours and not meeting.accepted and meeting.reason != "dn-not-listed":
        return meeting
    return Meeting(Role.SERVER, False, sight.reason, "queue", f"{sight.status} {sight.text}")
