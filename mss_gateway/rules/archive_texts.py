"""Why an IHE_XDM archive is refused (INS-6): in English for operators, in French for who reads the reply."""

from __future__ import annotations

PROBLEMS: dict[str, str] = {
    "xdm-not-zip": "this is no zip archive",
    "xdm-truncated": "the zip archive is cut short",
    "xdm-trailing": "octets stand after the end of the zip archive",
    "xdm-hidden": "octets stand between the files of the zip archive, where only some programs look",
    "xdm-malformed-zip": "the tables of the zip archive contradict themselves",
    "xdm-header": "a file's own zip header differs from the archive's table of contents",
    "xdm-too-many": "the archive holds more files than are read",
    "xdm-too-large": "the files of the archive are larger than are read",
    "xdm-bomb": "a file grows beyond measure when it is unpacked",
    "xdm-path": "a file name leads out of the archive's folder, or cannot be a file's name",
    "xdm-symlink": "the archive holds something that is neither a file nor a folder",
    "xdm-duplicate": "two files of the archive have one name",
    "xdm-nested": "the archive holds another archive",
    "xdm-encrypted": "a file of the archive is encrypted",
    "xdm-method": "a file is packed in a way other than stored or deflated",
    "xdm-overlap": "two files of the archive share octets",
    "xdm-checksum": "a file of the archive is damaged: its CRC-32 is wrong",
    "xdm-entity": "an XML file declares a document type or entities",
    "xdm-no-metadata": "the archive has no IHE_XDM/SUBSETnn/METADATA.XML",
    "xdm-malformed-metadata": "METADATA.XML cannot be read, or contradicts itself",
    "xdm-no-document": "METADATA.XML names no document",
    "xdm-missing-document": "METADATA.XML names a document that is not there",
    "xdm-unnamed-file": "the archive holds a file that METADATA.XML does not name",
    "xdm-size": "the size of a document is not the one of METADATA.XML",
    "xdm-hash": "the SHA-1 hash of a document is not the one of METADATA.XML",
    "xdm-malformed-cda": "a document that should be a CDA cannot be read as one",
}
"""Slug to its meaning in English; the slug is what rules, logs and tests use."""

UNREADABLE = "L'archive IHE_XDM est illisible ou incohérente"
"""For a slug without a sentence of its own."""

ARCHIVES: dict[str, str] = {
    "xdm-several-recipients": "Un message avec une archive IHE_XDM s'adresse à un seul patient",
    "xdm-two-patients": "L'archive IHE_XDM contient des documents de plusieurs patients",
    "xdm-no-ins": "Un document de l'archive IHE_XDM ne porte pas l'INS du patient",
    "xdm-metadata-mismatch": "L'INS de METADATA.XML n'est pas celui du destinataire",
    "xdm-cda-mismatch": "L'INS d'un document CDA n'est pas celui du destinataire",
    "xdm-not-zip": "IHE_XDM.zip n'est pas une archive ZIP",
    "xdm-truncated": "L'archive IHE_XDM est tronquée : joignez-la à nouveau",
    "xdm-trailing": "L'archive IHE_XDM est suivie de données étrangères",
    "xdm-hidden": "L'archive IHE_XDM contient des données cachées entre ses fichiers",
    "xdm-malformed-zip": "Les tables de l'archive IHE_XDM se contredisent",
    "xdm-header": "Les tables de l'archive IHE_XDM se contredisent",
    "xdm-too-many": "Trop d'archives IHE_XDM, ou trop de fichiers dans l'une d'elles",
    "xdm-too-large": "Les fichiers de l'archive IHE_XDM sont trop volumineux",
    "xdm-bomb": "Un fichier de l'archive IHE_XDM grossit démesurément une fois décompressé",
    "xdm-path": "Un nom de fichier de l'archive IHE_XDM n'est pas admis",
    "xdm-symlink": "L'archive IHE_XDM contient un lien, ce qui n'est pas admis",
    "xdm-duplicate": "Deux fichiers de l'archive IHE_XDM portent le même nom",
    "xdm-nested": "L'archive IHE_XDM contient une autre archive",
    "xdm-encrypted": "Un fichier de l'archive IHE_XDM est chiffré",
    "xdm-method": "Un fichier de l'archive IHE_XDM est compressé par une méthode non admise",
    "xdm-overlap": "Deux fichiers de l'archive IHE_XDM se chevauchent",
    "xdm-checksum": "Un fichier de l'archive IHE_XDM est endommagé : joignez-la à nouveau",
    "xdm-entity": "Un fichier XML de l'archive IHE_XDM déclare des entités, ce qui n'est pas admis",
    "xdm-no-metadata": "L'archive IHE_XDM ne contient pas de METADATA.XML",
    "xdm-malformed-metadata": "Le fichier METADATA.XML de l'archive IHE_XDM est illisible ou se contredit",
    "xdm-no-document": "Le fichier METADATA.XML ne nomme aucun document",
    "xdm-missing-document": "Un document nommé par METADATA.XML manque dans l'archive IHE_XDM",
    "xdm-unnamed-file": "L'archive IHE_XDM contient un fichier que METADATA.XML ne nomme pas",
    "xdm-hash": "L'empreinte d'un document de l'archive IHE_XDM ne correspond pas à METADATA.XML",
    "xdm-size": "La taille d'un document de l'archive IHE_XDM ne correspond pas à METADATA.XML",
    "xdm-malformed-cda": "Un document de l'archive IHE_XDM n'est pas un CDA lisible",
}
"""One sentence for each problem of `documents.problems` and each disagreement of `rules.contents`."""
