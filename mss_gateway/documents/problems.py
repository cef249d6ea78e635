"""Every reason for which an IHE_XDM archive is not trusted (INS-6)."""

from __future__ import annotations

from mss_gateway.base.errors import GatewayError

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


class ArchiveProblem(GatewayError):
    """An archive that is not trusted: `slug` is one of `PROBLEMS`, `where` the file in the archive, if any.

    `where` is what the archive says and may hold an INS: mask it before it is shown.
    """

    def __init__(self, slug: str, where: str = "") -> None:
        super().__init__(PROBLEMS[slug])
        self.slug = slug
        self.where = where
