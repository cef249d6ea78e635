"""Why a peer is accepted or refused, step by step (TRU-8).

What follows is the verdict of `Trust.identify`, `identify_server` and `lists`; the steps show every fault behind it,
also those that the gateway, which stops at the first, never came to.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import parse_domain

from . import dn
from . import explain_steps as steps
from .explain_meeting import inbound, outbound
from .explain_names import listed_text, near, nearest
from .explain_steps import Subject, View
from .judgement import Explanation, Meeting, Role, Step, Verdict
from .refusals import SENTENCES

if TYPE_CHECKING:
    from .guard import Trust

SHOWN = 8
"""Domains or DNs that a step names; of more it tells the number."""

BOTH = (Role.CLIENT, Role.SERVER)
"""The roles that a certificate file is judged in when nothing else is said."""


def explain(
    trust: Trust,
    chain: Sequence[bytes],
    *,
    roles: Sequence[Role] = BOTH,
    domain: str | None = None,
    peer: str = "",
) -> Explanation:
    """Judge a peer by its certificates in DER, its own first, for a sender's or recipient's domain when one is named.

    `peer` is how the queue would name the host. What OCSP says is what is known by now (`Trust.ask_status`).
    Raises `InvalidValue` for a malformed domain. Quick: a few milliseconds.
    """
    wanted = parse_domain(domain) if domain else None
    while True:
        generation = trust.generation
        view = view_of(trust)
        subject = steps.subject_of(trust.analysis(chain[0]), tuple(chain))
        links, trusted = steps.links_of(view, subject)
        found = [
            steps.readable(subject),
            steps.chain(view, subject, links, trusted),
            steps.dates(view, links),
            steps.strength(view, links),
            steps.usage(subject, roles),
            steps.revocation(view, links, trusted),
            *([status(trust, subject)] if trust.options.ocsp != "off" else []),
            steps.name(view, subject),
            listing(view, subject),
            *([at_domain(view, subject, wanted)] if wanted else []),
        ]
        meetings = tuple(_meet(trust, view, subject, role, wanted, peer) for role in roles)
        if (
            trust.generation == generation
        ):  # else a reload came in between: what was judged is no longer in force
            return Explanation(tuple(found), meetings)


def view_of(trust: Trust) -> View:
    """What a trust space judges by at this moment."""
    material, options = trust.material, trust.options
    return View(
        material.anchors,
        material.crls,
        trust.trusted_list,
        trust.now(),
        options.crl_grace_hours,
        options.min_rsa_bits,
        options.st_is_l,
        bool(material.mta.verify_flags & ssl.VERIFY_CRL_CHECK_LEAF),
    )


def _meet(trust: Trust, view: View, subject: Subject, role: Role, domain: str | None, peer: str) -> Meeting:
    der = subject.der
    judged = trust.identify(der) if role is Role.CLIENT else trust.identify_server(der)
    if role is Role.CLIENT:
        return inbound(view, subject, judged, domain)
    return outbound(view, subject, judged, domain, peer)


def status(trust: Trust, subject: Subject) -> Step:
    """What the responder of the issuer has said of the certificate (TRU-2); asked only where OCSP is switched on."""
    known, statuses = subject.known, trust.statuses
    if statuses is None or len(known.chain) < 2:
        return Step("ocsp", Verdict.NOT_REACHED)
    mode = f"trust.ocsp is {trust.options.ocsp}"
    reason = statuses.verdict(known)
    if reason is None:
        return Step("ocsp", Verdict.PASS, ("the responder of the issuer has no objection", mode))
    said = SENTENCES[reason].partition(":")[0]
    return Step("ocsp", Verdict.FAIL, (said, mode), steps.remedy(reason), reason)


def listing(view: View, subject: Subject) -> Step:
    """Some domain of the list in force lists the DN (TRU-4, TRU-7)."""
    identity = subject.known.identity
    title = "trusted list"
    if identity is None:
        return Step(title, Verdict.NOT_REACHED)
    generated = f"list of {view.listed.generated_at:%Y-%m-%d %H:%M}Z"
    domains = sorted(view.listed.domains_of(identity.dn_key))
    if domains:
        count = (
            f"{len(domains)} domains list this DN: {cut(domains)}"
            if domains[1:]
            else f"{domains[0]} lists this DN"
        )
        return Step(title, Verdict.PASS, (count, generated))
    evidence = ["no domain lists this DN", generated]
    evidence += _nearest(view, subject, view.listed.names)
    return Step(title, Verdict.FAIL, tuple(evidence), steps.remedy("dn-not-listed"), "dn-not-listed")


def at_domain(view: View, subject: Subject, domain: str) -> Step:
    """The domain asked about lists the DN; if not, which DNs it has, and in what the nearest one differs (TRU-4)."""
    title = "domain"
    identity = subject.known.identity
    listed = view.listed.domains.get(domain, frozenset())
    if not listed:
        advice = "Check the spelling, and whether the list is current: `mss-gateway trust status`."
        return Step(
            title, Verdict.FAIL, (f"the trusted list does not know {domain}",), advice, "domain-not-listed"
        )
    names = [listed_text(key, view.listed.names) for key in sorted(listed)]
    if identity is None:
        return Step(title, Verdict.NOT_REACHED, tuple(f"{domain} lists {name}" for name in names[:SHOWN]))
    if identity.dn_key in listed:
        return Step(
            title, Verdict.PASS, (f"{domain} lists {listed_text(identity.dn_key, view.listed.names)}",)
        )
    evidence = [f"{domain} lists {name}" for name in names[:SHOWN]]
    if len(names) > SHOWN:
        evidence.append(f"and {len(names) - SHOWN} more")
    evidence += _nearest(view, subject, listed)
    return Step(title, Verdict.FAIL, tuple(evidence), steps.remedy("dn-not-listed"), "dn-not-listed")


def _nearest(view: View, subject: Subject, candidates: Iterable[str]) -> list[str]:
    try:
        attributes = dn.subject_attributes(subject.der)
        found = nearest(candidates, view.listed.names, attributes, st_is_l=view.st_is_l)
    except InvalidValue:
        return []
    if found is None:
        return []
    key, differ = found
    if not near(differ, attributes):
        return ["no DN there resembles it"]
    return [f"nearest: {listed_text(key, view.listed.names)}", *(str(one) for one in differ)]


def cut(items: Sequence[str]) -> str:
    """The first of a list, and how many more there are."""
    rest = len(items) - SHOWN
    return ", ".join(items[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")
