"""Sentences that professionals and patients read, in French; replies fold them to ASCII on the wire."""

from __future__ import annotations

PATIENT_CLOSED = (
    'Le message que vous avez envoyé à "{address}" n\'a pas pu être distribué car la messagerie '
    "Mon espace Santé de votre destinataire est clôturée"
)
"""PAT-2, word for word; `address` is the address that was written to."""

BOUNCE_SUBJECT = "Message non distribué"
"""Subject of the PAT-2 report (domain 13.3)."""

CHANNEL_CLOSED = (
    "Ce professionnel de santé a mis fin à vos échanges : il ne peut plus recevoir de réponse "
    "tant qu'il ne vous écrit pas à nouveau"
)
"""CHN-6, after an end mark."""

CHANNEL_NEVER_OPENED = (
    "Seul un professionnel de santé peut écrire le premier message ; celui-ci ne vous a pas encore écrit"
)
"""CHN-6, when the professional has never written."""

PATIENT_TO_PATIENT = "La messagerie ne permet pas d'écrire à un autre patient"
"""CHN-7."""

PATIENT_TO_OUTSIDE = (
    "La messagerie ne permet d'écrire qu'à des professionnels de l'espace de confiance MSSanté"
)
"""CHN-7."""

PATIENT_FORGED = "Vous ne pouvez écrire que depuis votre propre adresse"
"""CHN-7."""
