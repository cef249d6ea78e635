"""Verifies a large trusted list in a short-lived process of its own, so that mail never waits for it (TRU-3).

The XML libraries hold the interpreter for tens of milliseconds at a time and leave ten times the size of a list
in memory; both end with the child. It gets the octets and who must have signed them, and answers with lines that
are read in small steps. A child that fails or hangs is a list that is refused.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from cryptography import x509

from .anchors import Anchors
from .listing import NO_LIST, TrustedList, load_list
from .refusals import ListRefused
from .revocation import RevocationLists
from .signature import ListSigner

SMALL = 128 * 1024  # octets of a list that is verified at once, within a few milliseconds
PATIENCE = 120.0  # seconds for the child
_STEP = 100  # domains of one line
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a list is taken: `held` is the list in force, that it must not be older than."""

    signer: ListSigner
    now: datetime
    held: TrustedList | None
    max_bytes: int


def verify_list(data: bytes, terms: Terms) -> TrustedList:
    """Verify and read a list as `load_list` does, a large one in a child; raises `ListRefused`. Blocking."""
    if SMALL < len(data) <= terms.max_bytes:
        try:
            child = _started()
        except OSError:  # no process to be had: slower, and no less strict
            return _loaded(data, terms)
        return _asked(child, data, terms)
    return _loaded(data, terms)


def _loaded(data: bytes, terms: Terms) -> TrustedList:
    signer = terms.signer
    return load_list(
        data, signer, terms.now, held=terms.held, max_bytes=terms.max_bytes, st_is_l=signer.st_is_l
    )


def _started() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )


def _asked(child: subprocess.Popen[bytes], data: bytes, terms: Terms) -> TrustedList:
    failed = ListRefused(
        "list-not-verified",
        "the trusted list could not be verified: the process for it failed; look at memory",
    )
    timer = threading.Timer(PATIENCE, child.kill)
    timer.daemon = True
    timer.start()
    try:
        assert child.stdin is not None
        assert child.stdout is not None
        with child.stdin as given:
            given.write(_question(terms))
            given.write(data)
        found = _understood(iter(child.stdout.readline, b""))
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        raise failed from None
    finally:
        timer.cancel()
        child.kill()
        if child.stdout is not None:
            child.stdout.close()
        child.wait()
    if terms.signer.revoked(found.signer):
        raise ListRefused("list-signer-revoked", "the signer's certificate has been revoked")
    return found


def _question(terms: Terms) -> bytes:
    signer = terms.signer
    asked = {
        "ca": signer.anchors.pem,
        "dn": signer.dn_key,
        "st_is_l": signer.st_is_l,
        "at": signer.at and signer.at.timestamp(),
        "now": terms.now.timestamp(),
        "held": terms.held and terms.held.generated_at.timestamp(),
        "max_bytes": terms.max_bytes,
    }
    return json.dumps(asked).encode("ascii") + b"\n"


def _understood(lines: Iterator[bytes]) -> TrustedList:
    head = json.loads(next(lines, b""))
    if "refused" in head:
        raise ListRefused(head["refused"], head["sentence"])
    keys: list[str] = []
    names: dict[str, str] = {}
    domains: dict[str, frozenset[str]] = {}
    by_dn: dict[str, set[str]] = {}
    sets: dict[tuple[int, ...], frozenset[str]] = {}  # one for all domains of an operator: megabytes less
    for line in lines:
        step = json.loads(line)
        for key, text in step["names"]:
            keys.append(key)
            names[key] = text
        for domain, places in step["domains"]:
            listed = tuple(places)
            if listed not in sets:
                sets[listed] = frozenset([keys[place] for place in places])
            domains[domain] = sets[listed]
            for place in places:
                by_dn.setdefault(keys[place], set()).add(domain)
    if len(domains) != head["domains"]:
        raise ValueError("the answer broke off")
    return TrustedList(
        datetime.fromtimestamp(head["generated"], UTC),
        head["digest"],
        domains,
        {key: frozenset(found) for key, found in by_dn.items()},
        names,
        head["entries"],
        head["unreadable"],
        b64decode(head["signer"]),
    )


def answer(question: bytes, data: bytes) -> Iterator[bytes]:
    """What the child writes, line by line: a head, then names and domains in steps."""
    try:
        found = _loaded(data, _terms(json.loads(question)))
    except ListRefused as refused:
        yield _line({"refused": refused.reason, "sentence": refused.sentence})
        return
    yield _line(
        {
            "generated": found.generated_at.timestamp(),
            "digest": found.digest,
            "entries": found.entries,
            "unreadable": found.unreadable,
            "signer": b64encode(found.signer).decode("ascii"),
            "domains": len(found.domains),
        }
    )
    names = iter(found.names.items())
    while step := list(islice(names, _STEP)):
        yield _line({"names": step, "domains": []})
    places = {key: place for place, key in enumerate(found.names)}
    listed = iter(found.domains.items())
    while some := list(islice(listed, _STEP)):
        yield _line(
            {"names": [], "domains": [(domain, sorted(places[key] for key in keys)) for domain, keys in some]}
        )


def _terms(asked: dict[str, Any]) -> Terms:
    anchors = Anchors(x509.load_pem_x509_certificates(asked["ca"].encode("ascii")), asked["ca"])
    at = None if asked["at"] is None else datetime.fromtimestamp(asked["at"], UTC)
    # The CRLs stay with the parent, which looks the signer up when the list has proved genuine.
    signer = ListSigner(anchors, asked["dn"], RevocationLists({}), asked["st_is_l"], at)
    held = None
    if asked["held"] is not None:
        held = replace(NO_LIST, generated_at=datetime.fromtimestamp(asked["held"], UTC))
    return Terms(signer, datetime.fromtimestamp(asked["now"], UTC), held, asked["max_bytes"])


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode("ascii") + b"\n"


def main() -> None:
    """The child: a line of terms and a list on standard input, the answer on standard output."""
    gc.disable()  # it ends before there is anything to collect
    question = sys.stdin.buffer.readline()
    for line in answer(question, sys.stdin.buffer.read()):
        sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
