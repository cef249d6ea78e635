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

PATIENT_CLOSED_REPLY = "La messagerie Mon espace Santé de votre destinataire est clôturée"
"""PAT-2, setting `reject`."""

PATIENT_SIZE = "Message trop volumineux : un patient reçoit au plus {limit} Mo"
"""PAT-5; `limit` in MiB."""

PATIENT_ATTACHMENT = "Un patient ne peut pas recevoir une pièce jointe de type {type}"
"""PAT-5; `type` is the media type of the part."""

REPLY_TO_UNFIT = (
    "L'adresse de réponse (Reply-To) doit être une BAL nominative, organisationnelle ou cabinet ouverte"
)
"""BAL-8."""

REPLY_TO_MANY = "Un patient répond à {most} adresses au plus (Reply-To)"
"""CHN-1; `most` is a number."""

IDENTITY_NOT_QUALIFIED = (
    "L'identité de ce patient n'est pas qualifiée : son INS ne peut pas être utilisé pour lui écrire"
)
"""INS-5, status other than QUAL."""

IDENTITY_UNKNOWN = (
    "L'identité de ce patient est inconnue ici : importez son identité qualifiée avant de lui écrire"
)
"""INS-5, no identity in the registry."""

SERVICE_NAME = "Messagerie MSSanté"
"""Who signs what the gateway writes itself."""

CLOSED_SUBJECT = "Fin des échanges"
"""CHN-10, subject of the service message."""

CLOSED_NOTICE = "{name} a mis fin à vos échanges."
"""CHN-10, word for word (domain 13.2)."""

NEAR_MISS_SUBJECT = "Votre échange avec le patient n'est pas clos"
"""CHN-5."""

NEAR_MISS = (
    "Bonjour,\n\n"
    "Votre message a bien été remis au patient, mais il n'a PAS mis fin à l'échange : le patient peut toujours "
    "vous répondre.\n\n"
    "Pour mettre fin à l'échange, écrivez un nouveau message au patient dont l'objet est exactement :\n\n"
    "[FIN]\n\n"
    "sans rien avant (pas de « Re: ») ni après, en majuscules et avec les crochets.\n\n"
    "Ce message est automatique, merci de ne pas y répondre."
)
"""CHN-5: what to do, with the exact subject."""

AUTO_END = (
    "Bonjour,\n\n"
    "Cet échange est terminé. Vous ne pouvez plus y répondre tant que votre professionnel de santé ne vous écrit "
    "pas à nouveau.\n"
)
"""CHN-8: body of the `[FIN]` message that the gateway sends."""

RECEIPT_SUBJECT = "Lu : {subject}"
"""RCP-2: subject of a read receipt."""

RECEIPT = "Le message que vous avez envoyé à {recipient} a été ouvert par son destinataire le {when}."
"""RCP-2: human part of a read receipt."""

DELIVERED_SUBJECT = "Message distribué"
"""RCP-1: subject of a report of success."""

DELIVERED = "Votre message a été déposé dans la boîte aux lettres de : {recipients}"
"""RCP-1: human part of a report of success."""
