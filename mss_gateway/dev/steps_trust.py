"""Steps of the tour on the trust space: where its list comes from, and why a peer is accepted or refused."""

from __future__ import annotations

import json

from .tour import Stage, Step, expect


def published(stage: Stage) -> str:
    """TRU-2, TRU-3: list and CRLs are fetched and verified, and the doctor finds nothing wrong with them."""
    status = stage.asked(stage.handout, "trust.status")
    source = status["list"]["source"]
    expect(source.startswith("https://"), f"the list was not fetched: {source}")
    expect(not status["alarms"], f"there are alarms: {status['alarms']}")
    checks = json.loads(stage.command(stage.handout, "doctor", "--json"))["checks"]
    bad = [one for one in checks if one["verdict"] == "bad"]
    expect(not bad, f"the doctor complains: {bad}")
    return f"{status['list']['domains']} domains from {source}, {len(status['crls'])} CRLs · {len(checks)} checks"


def explained(stage: Stage) -> str:
    """TRU-8: the live server of the neighbour is looked at, each check with its verdict."""
    neighbour = stage.handout.neighbour
    assert neighbour is not None
    target, words = f"{neighbour.host}:{neighbour.port}", ("--domain", neighbour.domain)
    said = stage.command(stage.handout, "trust", "explain", target, *words)
    expect("accepted" in said, f"the neighbour would not be served: {said}")
    return f"{target} for {neighbour.domain}: every check passed"


def refusal_explained(stage: Stage) -> str:
    """TRU-8: a session that was refused in the handshake is explained by its id, with the certificate it showed."""
    sessions = stage.asked(stage.handout, "trust.sessions")["sessions"]
    revoked = [one for one in sessions if one["reason"] == "certificate-revoked"]
    expect(bool(revoked), f"no session refused for a revoked certificate is known: {sessions}")
    told = stage.asked(stage.handout, "trust.explain", session=revoked[0]["id"])
    failed = [step["name"] for step in told["peers"][0]["steps"] if step["verdict"] == "fail"]
    expect("revocation" in failed, f"the revocation is not seen: {told}")
    return f"session {revoked[0]['id']} from {revoked[0]['peer']}: {', '.join(failed)}"


PUBLISHED: tuple[Step, ...] = (
    Step("Trusted list and CRLs are fetched, and the doctor is content", published, three=True),
    Step("mss-gateway trust explain looks at the independent operator", explained, three=True),
)
"""What is in force."""

EXPLAINED: tuple[Step, ...] = (
    Step("A refused session is explained by its id", refusal_explained, three=True),
)
"""After refusals."""
