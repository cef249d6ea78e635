"""Steps of the tour on operating: what happened, what is wrong, what was deleted, and what a backup is worth."""

from __future__ import annotations

import json
import shutil
import ssl
import tempfile
import urllib.request
from base64 import b64encode
from pathlib import Path

from . import wire
from .tour import Stage, Step, expect


def examined(stage: Stage) -> str:
    """OPS-2: the doctor finds nothing bad, and sends a real message that it reads again."""
    report = json.loads(stage.command(stage.handout, "doctor", "--json"))
    verdicts = {one["name"]: one for one in report["checks"]}
    trip = verdicts["round trip"]
    expect(trip["verdict"] == "good", f"the round trip failed: {trip['evidence']}")
    return f"{len(report['checks'])} checks, none bad · {trip['evidence']}"


def seen(stage: Stage) -> str:
    """OPS-4: the status page wants a token, tells what is to be done, and names nobody."""
    context = ssl.create_default_context(cafile=stage.handout.ca)
    request = urllib.request.Request(stage.handout.ops_url)
    try:
        urllib.request.urlopen(request, timeout=wire.TIMEOUT, context=context)
    except urllib.error.HTTPError as refused:
        expect(refused.code == 401, f"without a token the answer is {refused.code}")
    else:
        expect(False, "the page is shown to everybody")
    request.add_header(
        "Authorization", "Basic " + b64encode(f"ops:{stage.handout.ops_token}".encode()).decode()
    )
    with urllib.request.urlopen(request, timeout=wire.TIMEOUT, context=context) as answer:
        page = answer.read().decode()
    named = [patient for patient in (stage.patient.address,) if patient in page]
    expect("<h1" in page and not named, "the page shows a patient")
    return f"{len(page)} octets of HTML after a 401 without the token, no patient on it"


def traced(stage: Stage) -> str:
    """AUD-1: each line of the trace is chained to the one before; nothing was changed."""
    report = json.loads(stage.command(stage.handout, "audit", "verify", "--json"))
    expect(not report["damage"], f"the chain is broken: {report['damage']}")
    return f"{report['lines']} lines, every link holds"


def undeleted(stage: Stage) -> str:
    """OPS-5: what a mail client deleted for good lies in its folder again."""
    message = stage.letter("deleted", "Effacé par erreur", "Bonjour.\n", stage.professional.address)
    stage.send(stage.professional, message)
    stage.found(stage.professional, message)
    with wire.mailbox(stage.handout, stage.professional) as imap:
        imap.select("INBOX")
        _, data = imap.uid("SEARCH", "HEADER", "Message-ID", str(message["Message-ID"]))
        imap.uid("STORE", (data[0] or b"").decode(), "+FLAGS", "(\\Deleted)")
        imap.expunge()
    expect(not stage.all(stage.professional, message), "the message is still there")
    address = stage.professional.address
    words = ("undelete", "list", address, "--message", str(message["Message-ID"]), "--json")
    (one,) = json.loads(stage.command(stage.handout, *words))["removed"]
    stage.command(stage.handout, "undelete", "message", address, str(one["id"]), "--reason", "visite guidée")
    stage.found(stage.professional, message)
    return f"UID {(data[0] or b'').decode()}, expunged by its client, is in INBOX again under a new UID"


def kept(stage: Stage) -> str:
    """OPS-5: a backup while mail flows, verified; restored to a new place, it holds the same messages."""
    folder = Path(tempfile.mkdtemp(prefix="mss-tour-"))
    try:
        first, again = (
            json.loads(stage.command(stage.handout, "backup", str(folder / "kept"), "--json"))
            for _ in range(2)
        )
        whole = json.loads(stage.command(stage.handout, "verify", "--json"))
        expect(not whole["findings"], f"the store is damaged: {whole['findings']}")
        restored = str(folder / "restored")
        stage.command(None, "restore", str(folder / "kept"), "--to", restored)
        bodies = whole["bodies"]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return f"{first['written'] / 1e6:.1f} MB, then {again['written'] / 1e6:.1f} MB more; {bodies} bodies, all whole"


OPERATIONS: tuple[Step, ...] = (
    Step("The doctor examines everything and sends a message on a round trip", examined, three=True),
    Step("The status page says how it is, to operators only", seen, three=True),
    Step("The trace is a chain in which nothing can be changed unseen", traced),
    Step("What was deleted for good comes back", undeleted),
    Step("A backup is made, verified and restored while mail flows", kept),
)
"""Operating."""
