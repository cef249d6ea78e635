"""French words of the status page: reasons with what to do about them, spans, dates (OPS-4)."""

from __future__ import annotations

from datetime import UTC, datetime

from mss_gateway.rules.archive_texts import ARCHIVES

_WAIT = "Rien à faire, sauf si cela dure : la passerelle réessaie d'elle-même."
_ASK = "Demandez à l'autre opérateur si son serveur fonctionne, puis `mss-gateway queue retry --domain …`."
_SPELLED = (
    "Vérifiez l'orthographe du domaine ; sinon prévenez l'autre opérateur, ou `mss-gateway queue cancel`."
)
_THEIRS = "Prévenez l'autre opérateur : il doit corriger son certificat. D'ici là, rien ne passe par cette connexion."
_OURS = "Montrez notre certificat et notre entrée de la liste blanche à l'autre opérateur."
_LIST = "La liste blanche est-elle à jour ? `mss-gateway trust show DOMAINE` dit ce qu'elle contient."
_CRL = "Téléchargez la CRL à jour : `mss-gateway trust status` montre d'où elle vient."
_ROOM = "Libérez de l'espace disque ; le service reprend de lui-même et rien n'est perdu."
_SENDER = "Voyez avec l'expéditeur : son logiciel doit corriger le message."
_INS = "Reprenez l'INS dans le téléservice : il a été mal recopié."
_CHANNEL = "Rien à faire : le prochain message du professionnel ouvre l'échange."
_BOX = "Comparez l'adresse avec `mss-gateway bal list`."
_SIZE = "Faites envoyer moins, ou en plusieurs messages."
_TRY = "Si cela dure, voyez la version et les suites TLS de l'autre logiciel."
_ARCHIVE = "Faites reconstruire l'archive : `mss-gateway document show` dit ce qui ne va pas."

_SOFTWARE = "Voyez avec l'éditeur du logiciel : le jeton ne vient pas du bon service, ou il est mal transmis."
_FORGED = "Faux jeton possible : `mss-gateway trace` et le journal disent d'où il vient."
_AGAIN = "Rien, sauf si cela dure : le logiciel demande un nouveau jeton de lui-même."
_PROVIDER = "Si cela dure : le fournisseur d'identité répond-il ? `mss-gateway doctor`"
_PERSON = "Comparez l'identifiant national et les BAL de la personne : `mss-gateway person show`."
_CERTIFICATE = "Inscrivez le certificat à sa BAL : `mss-gateway bal certificate`."

WORDS: dict[str, tuple[str, str]] = {
    # l'envoi aux autres opérateurs
    "no-mx": ("aucun serveur de messagerie dans le DNS", _SPELLED),
    "null-mx": ("ce domaine déclare ne pas recevoir de courrier", _SPELLED),
    "dns-failure": (
        "le DNS n'a pas répondu",
        "Si cela dure : notre résolveur répond-il ? `mss-gateway doctor`",
    ),
    "connect-refused": ("le serveur refuse la connexion", _ASK),
    "connect-timeout": ("le serveur ne répond pas à temps", _ASK),
    "timeout": ("le serveur s'est tu", _ASK),
    "lost": ("la connexion a été perdue", _WAIT),
    "no-starttls": ("le serveur n'offre pas TLS", _THEIRS),
    "starttls-refused": ("le serveur refuse de commencer TLS", _THEIRS),
    "tls-failure": (
        "la négociation TLS a échoué",
        "`mss-gateway trust explain HÔTE:PORT` la montre pas à pas.",
    ),
    "peer-temporary": ("le serveur demande de réessayer plus tard", _WAIT),
    "peer-refused": ("le serveur a refusé définitivement", "`mss-gateway queue show` donne sa réponse."),
    "peer-needs-smtputf8": ("le serveur ne prend pas les adresses accentuées", _SENDER),
    "peer-needs-8bitmime": ("le serveur ne prend pas tous les octets du message", _SENDER),
    "peer-broke-protocol": ("le serveur ne respecte pas SMTP", _ASK),
    "peer-distrusts-us": ("le serveur ne nous accepte pas comme opérateur", _OURS),
    "too-large-for-peer": ("le message est trop grand pour le serveur", _SIZE),
    "lost-after-data": (
        "connexion perdue avant la confirmation",
        "Demandez à l'autre opérateur s'il l'a reçu.",
    ),
    "bare-line-end": ("le message contient un CR ou LF isolé", _SENDER),
    "letter-incomplete": ("le message stocké ne se lit pas en entier", "Voyez le journal et le disque."),
    "interrupted": ("la passerelle a été arrêtée pendant l'envoi", _WAIT),
    "mail-loop": ("le message tourne en rond", "Cherchez deux renvois qui se désignent l'un l'autre."),
    "fault": ("une faute de notre logiciel", "Elle est dans le journal ; signalez-la."),
    # l'espace de confiance
    "no-certificate": ("aucun certificat client présenté", _THEIRS),
    "certificate-expired": ("certificat expiré", _THEIRS),
    "certificate-not-yet-valid": (
        "certificat pas encore valable",
        "Comparez ses dates et les deux horloges.",
    ),
    "certificate-revoked": ("certificat révoqué, ou celui de son émetteur", _THEIRS),
    "certificate-malformed": ("certificat illisible", _THEIRS),
    "certificate-unknown": ("certificat inconnu du répondeur OCSP", _THEIRS),
    "ocsp-unavailable": ("le répondeur OCSP ne répond pas", _WAIT),
    "issuer-unknown": ("certificat d'une autorité hors de l'espace de confiance", _THEIRS),
    "self-signed": ("certificat auto-signé", _THEIRS),
    "wrong-usage": ("certificat prévu pour un autre usage", _THEIRS),
    "weak-key": ("clé ou signature trop faible", _THEIRS),
    "crl-stale": ("la CRL de l'émetteur est périmée", _CRL),
    "crl-missing": ("la CRL de l'émetteur manque", _CRL),
    "dn-not-listed": ("DN absent de la liste blanche pour ce domaine", _LIST),
    "tls-version": ("TLS 1.2 ou plus récent est exigé", _TRY),
    "tls-no-cipher": ("aucune suite TLS commune", _TRY),
    "tls-not-spoken": (
        "ce qui est arrivé n'est pas TLS",
        "Un balayage, ou un port mal réglé chez le client.",
    ),
    "tls-aborted": (
        "l'autre côté a interrompu TLS",
        "Son journal dit pourquoi ; souvent un simple balayage.",
    ),
    "tls-failed": ("la négociation TLS a échoué", _TRY),
    # le fil et le magasin
    "store-full": ("plus de place pour garder le message", _ROOM),
    "spool-full": ("plus de place pendant la réception", _ROOM),
    "store-error": ("le message n'a pas pu être gardé", "Voyez le journal, puis `mss-gateway doctor`."),
    "too-big": ("message plus grand que la limite", _SIZE),
    "header-too-large": ("en-tête de plus de 256 Kio", _SENDER),
    "nul-in-content": ("un octet NUL dans le message", _SENDER),
    "content-line-too-long": ("une ligne trop longue", _SENDER),
    "bare-line-end-in-content": ("un CR ou LF isolé", _SENDER),
    "login-ended": ("la session a pris fin", "BAL suspendue ou mot de passe changé : rien à faire."),
    "tls-required": (
        "le client n'a pas chiffré la connexion",
        "Réglez le logiciel : STARTTLS, ou le port chiffré d'emblée.",
    ),
    "auth-required": (
        "le client ne s'est pas identifié",
        "Réglez le logiciel : mot de passe, jeton ou certificat.",
    ),
    "too-many-recipients": ("trop de destinataires", "Rien : le logiciel envoie le reste à part."),
    "too-many-bad-commands": ("trop d'erreurs du client", "Un balayage, ou un logiciel défectueux."),
    "login-expired": ("la session ouverte par un jeton a pris fin", _AGAIN),
    "refused-by-skin": ("message refusé à la réception", "Le journal en dit plus."),
    # les connexions
    "login-failed": (
        "identifiant ou mot de passe faux, ou BAL inactive",
        "Voyez qui insiste : `mss-gateway login locks` ; `person passwd` donne un nouveau mot de passe.",
    ),
    "login-slowed": (
        "trop d'échecs : il faut attendre",
        "`mss-gateway login locks` montre qui attend, `login unlock` le libère.",
    ),
    "login-busy": ("trop de connexions à la fois", "Si cela dure : augmentez `login.hash_workers`."),
    "login-other-mailbox": (
        "identifiant valable, mais pour une autre BAL",
        "Corrigez le compte dans le logiciel, ou `mss-gateway bal member`.",
    ),
    "unknown-mechanism": (
        "moyen de connexion non proposé",
        "Réglez le logiciel : PLAIN ou SCRAM sous TLS, ou un jeton si [oidc] est en service.",
    ),
    "certificate-not-registered": ("certificat inscrit à aucune BAL", _CERTIFICATE),
    "certificate-of-another-mailbox": ("certificat inscrit à une autre BAL", _CERTIFICATE),
    "which-box": (
        "certificat de plusieurs BAL, aucune n'est nommée",
        "Réglez le logiciel : l'identité demandée est l'adresse de la BAL.",
    ),
    "token-missing": ("demande de connexion par jeton, sans jeton", _SOFTWARE),
    "token-not-accepted": (
        "aucun jeton n'est accepté ici",
        "Mettez [oidc] en service, ou réglez le logiciel sur un mot de passe.",
    ),
    "token-unknown-person": ("jeton d'une personne inconnue ici", _PERSON),
    "token-other-mailbox": ("jeton valable, mais pour une autre BAL", _PERSON),
    "token-too-long": ("jeton trop long", _SOFTWARE),
    "token-malformed": ("jeton illisible", _SOFTWARE),
    "token-encrypted": ("jeton chiffré", _SOFTWARE),
    "token-algorithm": ("jeton signé par un algorithme non admis", _FORGED),
    "token-critical": ("jeton avec une exigence inconnue", _SOFTWARE),
    "token-type": ("ce n'est pas un jeton d'accès", _SOFTWARE),
    "token-key-unknown": ("jeton signé par une clé inconnue du fournisseur", _FORGED),
    "token-signature": ("signature du jeton fausse", _FORGED),
    "token-issuer": ("jeton d'un autre fournisseur", _SOFTWARE),
    "token-audience": (
        "jeton donné à un autre logiciel",
        "Ajoutez ce logiciel à `oidc.clients`, s'il est connu.",
    ),
    "token-expired": ("jeton expiré", _AGAIN),
    "token-no-expiry": ("jeton sans fin de validité", _SOFTWARE),
    "token-not-yet-valid": ("jeton pas encore valable", "Comparez les deux horloges : `mss-gateway doctor`."),
    "token-no-subject": ("jeton sans identifiant national", "Voyez `oidc.subject` et `oidc.userinfo`."),
    "token-other-subject": ("les réponses du fournisseur nomment deux personnes", _FORGED),
    "token-revoked": ("jeton révoqué", _AGAIN),
    "provider-unreachable": ("le fournisseur d'identité ne répond pas", _PROVIDER),
    "provider-nonsense": ("réponse du fournisseur d'identité incompréhensible", _PROVIDER),
    "token-key-not-asked": ("clé inconnue ; le fournisseur vient d'être interrogé", _AGAIN),
    # les règles
    "null-sender": ("un patient a utilisé l'expéditeur vide", _SENDER),
    "null-sender-shape": ("expéditeur vide sur autre chose qu'un rapport", _SENDER),
    "local-sender": (
        "un autre opérateur a écrit avec un de nos domaines",
        "Usurpation possible : prévenez l'opérateur.",
    ),
    "sender-outside": ("domaine de l'expéditeur absent de la liste blanche", _LIST),
    "sender-dn-mismatch": ("le certificat n'est pas celui du domaine de l'expéditeur", _LIST),
    "from-dn-mismatch": ("le certificat n'est pas celui du domaine de From", _LIST),
    "sender-not-yours": (
        "adresse d'expéditeur non permise à cette connexion",
        "Déléguez la BAL, ou corrigez le compte.",
    ),
    "delegation-early": ("la délégation n'a pas commencé", "Voyez ses dates : `mss-gateway bal show`."),
    "delegation-ended": ("la délégation est terminée", "Renouvelez-la si elle doit durer."),
    "sender-forged": ("l'en-tête Sender nomme quelqu'un d'autre", _SENDER),
    "sender-inactive": (
        "la BAL qui envoie n'est pas active",
        "`mss-gateway bal activate`, si elle doit écrire.",
    ),
    "from-not-single": ("From ne contient pas une seule adresse", _SENDER),
    "from-mismatch": ("From diffère de l'expéditeur", _SENDER),
    "reply-to-outside": ("Reply-To sort de MSSanté", _SENDER),
    "reply-to-patient": ("Reply-To mène à un autre patient", _SENDER),
    "reply-to-unfit": ("Reply-To ne nomme pas une BAL ouverte", _SENDER),
    "reply-to-many": ("Reply-To nomme trop d'adresses", _SENDER),
    "patient-size": ("message trop grand pour un patient", _SIZE),
    "patient-attachment": (
        "type de fichier non permis vers un patient",
        "Faites envoyer le document en PDF.",
    ),
    "identity-unknown": ("identité absente du référentiel", "Importez-la : `mss-gateway ins import`."),
    "identity-not-qualified": ("identité non qualifiée", "Qualifiez-la, puis `mss-gateway ins import`."),
    "xdm-several-recipients": ("une archive pour plusieurs patients", "Un message par patient."),
    "xdm-two-patients": ("archive de plusieurs patients", _ARCHIVE),
    "xdm-no-ins": ("document sans INS dans l'archive", _ARCHIVE),
    "xdm-metadata-mismatch": ("l'archive n'est pas celle du destinataire", _ARCHIVE),
    "xdm-cda-mismatch": ("un document n'est pas celui du destinataire", _ARCHIVE),
    "field-repeated": ("un champ d'en-tête est répété", _SENDER),
    "outside-trust-space": ("domaine du destinataire hors de la liste blanche", _LIST),
    "relay-denied": (
        "un autre opérateur écrit à un domaine qui n'est pas ici",
        "Rien : le relais est refusé.",
    ),
    "unknown-box": ("BAL inexistante", _BOX),
    "closed-box": ("BAL fermée", "Prévenez l'expéditeur ; `mss-gateway bal activate` la rouvre."),
    "box-full": ("BAL pleine", "Son titulaire efface, ou `mss-gateway bal quota` lui donne de la place."),
    "ins-length": ("INS : pas 15 caractères", _INS),
    "ins-characters": ("INS : caractère inattendu", _INS),
    "ins-sex": ("INS : premier chiffre faux", _INS),
    "ins-month": ("INS : mois faux", _INS),
    "ins-department": ("INS : département faux", _INS),
    "ins-key": ("INS : clé fausse", _INS),
    "patient-domain": ("adresse hors du domaine des patients", _SENDER),
    "patient-closed": ("messagerie du patient fermée ou absente", "Joignez le patient autrement."),
    "patient-to-patient": ("un patient a écrit à un patient", "Rien : cela n'est pas permis."),
    "patient-to-outside": ("un patient a écrit hors de MSSanté", "Rien : cela n'est pas permis."),
    "patient-forged": ("message au nom d'un autre patient", "Usurpation possible : voyez la chronologie."),
    "channel-closed": ("le professionnel a terminé l'échange", _CHANNEL),
    "channel-never-opened": ("le professionnel n'a jamais écrit à ce patient", _CHANNEL),
    # la disponibilité
    "draining": ("la passerelle s'arrête", "Rien : les connexions finissent leur travail."),
    "disk-full": ("le disque est plein", _ROOM),
    "store-not-writable": (
        "le magasin ne s'écrit plus",
        "Voyez le disque et le journal, puis `mss-gateway doctor`.",
    ),
    "store-not-readable": (
        "le magasin ne se lit plus",
        "Voyez le disque et le journal, puis `mss-gateway doctor`.",
    ),
    "store-slow": ("le magasin n'écrit pas en 3 secondes", "Le disque est surchargé ou défaillant."),
    "queue-stuck": (
        "la file d'envoi n'avance plus",
        "Voyez le journal ; redémarrez la passerelle si cela dure.",
    ),
    "list-empty": ("la liste blanche est vide", "`mss-gateway trust status`, puis `trust rollback`."),
}
"""What a reason means and what to do about it."""

MALFORMED_ADDRESS = frozenset(
    {
        "address-control",
        "address-syntax",
        "address-too-long",
        "domain-idna",
        "domain-syntax",
        "domain-too-long",
    }
    | {"local-syntax", "local-too-long", "needs-smtputf8", "not-utf-8", "path-keyword", "path-syntax"}
    | {"recipient-empty", "source-route"}
)
"""Addresses of MAIL and RCPT that are none."""

WRONG_COMMAND = frozenset(
    {"auth-base64", "auth-cancelled", "auth-mechanism", "auth-needs-tls", "auth-not-offered", "auth-syntax"}
    | {"auth-twice", "bad-sequence", "body-value", "control-character", "data-for-binary", "data-parameter"}
    | {"envelope-line-too-long", "envid-too-long", "expn", "hello-name", "no-recipients", "notify-conflict"}
    | {
        "notify-value",
        "orcpt-control",
        "orcpt-syntax",
        "orcpt-utf8",
        "parameter-repeated",
        "parameter-syntax",
    }
    | {"parameter-unknown", "parameter-value", "quit-parameter", "ret-value", "rset-parameter", "size-syntax"}
    | {"smtputf8-value", "starttls-parameter", "tls-active", "tls-not-offered", "unknown-command"}
    | {"xtext-control", "xtext-syntax"}
)
"""Commands of SMTP that no correct client sends there."""

_FAMILIES = (
    (MALFORMED_ADDRESS, ("adresse mal formée", _SENDER)),
    (WRONG_COMMAND, ("commande SMTP fausse ou mal placée", "Un balayage, ou un logiciel défectueux.")),
)

UNKNOWN = ("", "`mss-gateway trace` et le journal en disent plus.")

KINDS = {
    "message": "message refusé",
    "peer": "opérateur refusé",
    "relay": "envoi non abouti",
    "tls": "TLS échoué",
    "login": "connexion refusée",
}
"""Kinds of refusals."""

CHANNELS = {"open": "ouverts", "closed": "fermés", "never": "jamais ouverts"}
"""States of channels."""


def words(reason: str) -> tuple[str, str]:
    """Meaning and remedy of a slug; a meaning is empty when the slug has to speak for itself."""
    if reason in ARCHIVES and reason not in WORDS:
        return ARCHIVES[reason], _ARCHIVE
    family = next((said for slugs, said in _FAMILIES if reason in slugs), UNKNOWN)
    return WORDS.get(reason, family)


def own_words(reason: str) -> tuple[str, str]:
    """The same for our own readiness: what is wrong is ours to mend."""
    if reason == "certificate-expired":
        return (
            "notre certificat a expiré",
            "Installez le nouveau : il est pris en compte en quelques secondes.",
        )
    if reason == "certificate-not-yet-valid":
        return "notre certificat n'est pas encore valable", "Vérifiez l'horloge de cette machine."
    return words(reason)


def span(seconds: float) -> str:
    """A length of time in at most two units: `3 j 4 h`, `12 min`, `8 s`."""
    whole_seconds = int(abs(seconds))
    sign = "−" if seconds <= -1 else ""
    days, rest = divmod(whole_seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    if days:
        return f"{sign}{days} j" + (f" {hours} h" if hours and days < 10 else "")
    if hours:
        return f"{sign}{hours} h" + (f" {minutes} min" if minutes else "")
    return f"{sign}{minutes} min" if minutes else f"{sign}{left} s"


def day(at: float) -> str:
    """A moment in UTC as people read it."""
    return datetime.fromtimestamp(at, UTC).strftime("%d/%m/%Y %H:%M UTC")


def whole(number: float) -> str:
    """A number with narrow spaces between thousands."""
    return f"{int(number):,}".replace(",", "\u202f")
