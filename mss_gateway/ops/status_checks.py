"""French names of the doctor's checks and of its alarms, for the status page (OPS-4)."""

from __future__ import annotations

NAMES = {
    "trusted list": "liste blanche",
    "revocation": "listes de révocation",
    "our certificate": "notre certificat",
    "queue": "file d'envoi",
    "store": "écriture dans le magasin",
    "disk": "place sur le disque",
    "consistency": "cohérence du magasin",
    "dns": "DNS du domaine des patients",
    "mailbox import": "import des BAL",
    "token provider": "fournisseur d'identité",
    "token keys": "clés du fournisseur d'identité",
    "national directory": "annuaire national",
    "backup": "sauvegarde",
    "restored": "suites d'une restauration",
    "audit chain": "chaîne des traces",
    "audit seal": "sceau des traces",
    "audit key": "clé des traces",
    "encryption": "chiffrement des messages",
    "encryption keys": "clés de chiffrement",
    "clock": "horloge",
    "ports": "ports ouverts",
    "round trip": "aller-retour d'un message",
    "gateway": "passerelle",
    # alarmes de l'espace de confiance
    "crl-stale": "une CRL est périmée",
    "crl-missing": "une CRL manque",
    "own-expired": "notre certificat a expiré",
    "own-expiring": "notre certificat expire bientôt",
    "list-old": "la liste blanche est ancienne",
    "list-mass-removal": "la nouvelle liste blanche retire trop de domaines",
    "ocsp-unavailable": "le répondeur OCSP ne répond pas",
}
"""Name of a check, or reason of an alarm, to what the page calls it."""

_FAMILIES = (
    ("fetch-", "téléchargement en échec"),
    ("list-", "liste blanche refusée"),
    ("crl-", "CRL refusée"),
    ("ocsp-", "réponse OCSP refusée"),
    ("directory-", "annuaire national : alarme"),
    ("certificate-", "notre certificat : alarme"),
    ("own-", "notre certificat : alarme"),
    ("ca-", "autorité de confiance : alarme"),
    ("file-", "fichier de confiance illisible"),
)


def check_name(name: str) -> str:
    """What the page calls a check; the name itself where it has no other."""
    known = NAMES.get(name)
    if known is not None:
        return known
    return next((french for start, french in _FAMILIES if name.startswith(start)), name)
