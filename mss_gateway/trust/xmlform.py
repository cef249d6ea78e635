"""The exact XML form of the trusted list (domain reference 6.2, 6.3), shared by its reader and its test maker."""

from __future__ import annotations

LIST_NS = "https://listeblanche.mssante.fr/schema"
DS_NS = "http://www.w3.org/2000/09/xmldsig#"
ROOT = f"{{{LIST_NS}}}ListeBlancheMSSante"
GENERATED = f"{{{LIST_NS}}}DateDeGeneration"
DOMAINS = f"{{{LIST_NS}}}ListeDomaines"
DOMAIN = f"{{{LIST_NS}}}Domaine"
FIELDS = tuple(
    f"{{{LIST_NS}}}{name}"
    for name in (
        "Nom",
        "Description",
        "DNCertificatOperateur",
        "ResponsableContact",
        "SupportContact",
        "DateMAJ",
    )
)
"""The children of every `Domaine`, in this order."""
SIGNATURE = f"{{{DS_NS}}}Signature"
DATE = "%Y-%m-%dT%H:%M:%SZ"
C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
