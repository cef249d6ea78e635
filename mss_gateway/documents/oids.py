"""The object identifiers of French health documents (domain 14.2, 16.2, 16.3)."""

from __future__ import annotations

from mss_gateway.rules.facts import Realm

INS_NIR = "1.2.250.1.213.1.4.8"
"""INS made of the NIR: a real person."""

INS_C = "1.2.250.1.213.1.4.2"
"""The computed INS of before 2017: 22 digits that name nobody here."""

INS_OIDS = {
    INS_NIR: "INS-NIR",
    "1.2.250.1.213.1.4.9": "INS-NIA",
    "1.2.250.1.213.1.4.10": "INS-NIR de test",
    "1.2.250.1.213.1.4.11": "INS-NIR de démonstration",
    INS_C: "INS-C",
    "1.2.250.1.213.1.4.13": "INS (exemples)",
}
"""Every OID under which an INS is found when reading."""

INS_OID_OF = {
    Realm.PRODUCTION: INS_NIR,
    Realm.TEST: "1.2.250.1.213.1.4.10",
    Realm.DEMO: "1.2.250.1.213.1.4.11",
}
"""The OID under which this gateway writes an INS, by realm."""

PROFESSIONAL = "1.2.250.1.71.4.2.1"
"""National id of a professional (8 + RPPS, 0 + ADELI)."""

STRUCTURE = "1.2.250.1.71.4.2.2"
"""National id of a structure (1 + FINESS, 3 + SIRET)."""

LOINC = "2.16.840.1.113883.6.1"
"""Logical Observation Identifiers Names and Codes."""

TYPES_BESIDE_LOINC = "1.2.250.1.213.1.1.4.12"
"""TRE_A05: document types that LOINC has not."""

CLASSES = "1.2.250.1.213.1.1.4.1"
"""TRE_A03: classes of documents."""

CONFIDENTIALITY = "2.16.840.1.113883.5.25"
"""HL7 confidentiality codes."""

SEXES = "2.16.840.1.113883.5.1"
"""HL7 administrative gender."""

FORMATS = "1.3.6.1.4.1.19376.1.2.3"
"""IHE format codes."""

TEMPLATES = (
    "2.16.840.1.113883.2.8.2.1",  # HL7 France
    "1.2.250.1.213.1.1.1.1",  # CI-SIS, structuration minimale
    "1.3.6.1.4.1.19376.1.2.20",  # IHE XDS-SD: an encapsulated PDF
)
"""Templates of a CDA of level N1 (domain 16.3)."""
