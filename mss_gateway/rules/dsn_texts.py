"""What people read in a delivery report, in French: which address, why in one sentence, what to do (RCP-1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import texts

FAILURE_SUBJECT = texts.BOUNCE_SUBJECT
"""Subject of the report of a failure, the words that users know (domain 13.3)."""

DELAY_SUBJECT = "Message retardé"
"""Subject of the report of a delay."""

RELAYED_SUBJECT = "Message transmis"
"""Subject of the report of a hand-over to an operator that sends no report itself."""


CANCELLED = "cancelled"
"""The slug of a message that an operator has taken out of the queue (QUE-3)."""


@dataclass(frozen=True, slots=True)
class Missed:
    """One address not reached: the slug of `ports.relay.Outcome`, the RFC 3463 status.

    `maybe` tells that a peer may have taken the message although its answer was lost.
    """

    address: str
    reason: str
    status: str = ""
    maybe: bool = False


@dataclass(frozen=True, slots=True)
class Explained:
    """Why, in one sentence, and what the reader can do about it."""

    why: str
    remedy: str


_NO_SERVER = Explained(
    "le serveur de messagerie de ce domaine est introuvable",
    "vérifiez la partie de l'adresse qui suit le signe @, dans l'Annuaire Santé ou auprès de votre correspondant",
)
_NO_ANSWER = Explained(
    "le serveur de messagerie du destinataire ne répond pas",
    "renvoyez votre message plus tard ; s'il est urgent, joignez votre correspondant par un autre moyen",
)
_NOT_TRUSTED = Explained(
    "l'identité du serveur du destinataire n'a pas pu être vérifiée dans l'espace de confiance MSSanté ; par sécurité, "
    "rien ne lui a été transmis",
    "signalez-le à votre correspondant, dont l'opérateur doit corriger son certificat ou son inscription",
)
_PEER_BUSY = Explained(
    "le serveur du destinataire n'a pas pu accepter le message pour l'instant",
    "renvoyez votre message plus tard ; s'il est urgent, joignez votre correspondant par un autre moyen",
)
_UNCERTAIN = Explained(
    "la connexion a été coupée avant que le serveur du destinataire ne confirme la réception",
    "demandez à votre correspondant s'il a reçu votre message avant de le renvoyer",
)
_UNKNOWN = Explained(
    "cette adresse n'existe pas chez l'opérateur du destinataire",
    "vérifiez l'adresse dans l'Annuaire Santé ou auprès de votre correspondant, puis renvoyez votre message",
)
_CLOSED = Explained(
    "la boîte aux lettres du destinataire est fermée",
    "cherchez une autre adresse de votre correspondant dans l'Annuaire Santé",
)
_FULL = Explained(
    "la boîte aux lettres du destinataire est pleine",
    "signalez-le à votre correspondant et renvoyez votre message plus tard",
)
_TOO_LARGE = Explained(
    "le message est plus volumineux que ce que l'opérateur du destinataire accepte",
    "réduisez ou retirez les pièces jointes, puis renvoyez votre message",
)
_UNICODE = Explained(
    "l'opérateur du destinataire n'accepte pas les adresses qui contiennent des caractères accentués",
    "utilisez une adresse sans accent",
)
_REFUSED = Explained(
    "le serveur du destinataire a refusé le message",
    "la réponse de ce serveur figure dans la partie technique de ce rapport ; votre support peut la lire avec vous",
)
_WITHDRAWN = Explained(
    "le message a été retiré de la file d'envoi par l'exploitant de votre messagerie, avant d'avoir été remis",
    "demandez-en la raison à votre support avant de le renvoyer",
)

_REASONS: dict[str, Explained] = {
    **dict.fromkeys(("no-mx", "null-mx", "dns-failure"), _NO_SERVER),
    **dict.fromkeys(("connect-refused", "connect-timeout", "timeout", "lost"), _NO_ANSWER),
    **dict.fromkeys(("peer-temporary", "peer-broke-protocol"), _PEER_BUSY),
    "lost-after-data": _UNCERTAIN,
    CANCELLED: _WITHDRAWN,
    "too-large-for-peer": _TOO_LARGE,
    "peer-needs-smtputf8": _UNICODE,
    "peer-refused": _REFUSED,
    **dict.fromkeys(("no-starttls", "dn-not-listed", "issuer-unknown", "self-signed"), _NOT_TRUSTED),
    **dict.fromkeys(("wrong-usage", "weak-key", "outside-trust-space"), _NOT_TRUSTED),
}
_TRUST_FAMILIES = ("certificate-", "crl-", "tls-")
_STATUSES: dict[str, Explained] = {
    "1.1": _UNKNOWN,
    "1.2": _UNKNOWN,
    "1.10": _NO_SERVER,
    "2.1": _CLOSED,
    "1.6": _CLOSED,
    "2.2": _FULL,
    "2.3": _TOO_LARGE,
    "3.4": _TOO_LARGE,
    "6.7": _UNICODE,
}
_OPENING = "Bonjour,\n\n"
_CLOSING = "Ce message est automatique, merci de ne pas y répondre.\n"


def explain(reason: str, status: str = "") -> Explained:
    """The sentences for an outcome: by the peer's status where it speaks, else by the slug or its family."""
    if reason in ("peer-refused", "peer-temporary"):
        found = _STATUSES.get(status.partition(".")[2])
        if found is not None:
            return found
    if reason.startswith(_TRUST_FAMILIES):
        return _NOT_TRUSTED
    return _REASONS.get(reason, _PEER_BUSY)


def span(seconds: float) -> str:
    """A length of time as people say it: `5 jours`, `36 heures`, `1 heure`; never less than an hour."""
    hours = max(1, round(seconds / 3600))
    if hours >= 48:
        return f"{round(hours / 24)} jours"
    return f"{hours} heure{'s' if hours > 1 else ''}"


def failure(missed: Sequence[Missed], tried: float | None = None) -> str:
    """The report of a failure; `tried` is for how many seconds it was tried, None when the peer said no for good."""
    often = f", malgré des essais répétés pendant {span(tried)}" if tried is not None else ""
    blocks = [f"Votre message n'a pas pu être remis{often} :\n"]
    for one in missed:
        explained = explain(one.reason, one.status)
        blocks.append(f"- {one.address}\n  Cause : {explained.why}.\n  Que faire : {explained.remedy}.\n")
        if one.maybe and explained is not _UNCERTAIN:
            blocks.append(
                "  Il se peut toutefois que le message soit arrivé : demandez-le à votre correspondant avant de le "
                "renvoyer.\n"
            )
    return _OPENING + "\n".join((*blocks, _CLOSING))


def delay(missed: Sequence[Missed], waited: float, left: float) -> str:
    """The report of a delay: nothing has to be done yet; both times in seconds."""
    blocks = [f"Votre message attend depuis {span(waited)} et n'a pas encore pu être remis :\n"]
    blocks += [f"- {one.address}\n  Cause : {explain(one.reason, one.status).why}.\n" for one in missed]
    blocks.append(
        f"Vous n'avez rien à faire : les essais continuent pendant {span(left)} au plus, et vous serez prévenu si le "
        "message ne peut pas être remis. S'il est urgent, joignez votre correspondant par un autre moyen.\n"
    )
    return _OPENING + "\n".join((*blocks, _CLOSING))


def relayed(addresses: Sequence[str]) -> str:
    """The report of a hand-over to an operator that promises no report of its own (RFC 3461 section 5.2.7)."""
    blocks = ["Votre message a été transmis à l'opérateur du destinataire :\n"]
    blocks += [f"- {address}\n" for address in addresses]
    blocks.append(
        "Cet opérateur ne confirme pas la remise dans la boîte aux lettres ; vous ne serez prévenu qu'en cas d'échec.\n"
    )
    return _OPENING + "\n".join((*blocks, _CLOSING))
