"""IHE_XDM archives for tests: good ones, single changes to them, and zips made octet by octet."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha1
from uuid import UUID

from mss_gateway.documents.building import BuiltDocument, build_archive
from mss_gateway.documents.request import Author, DocumentRequest, Marks, Subject
from mss_gateway.rules.facts import Realm

INS = "279035121518989"  # published test number (domain 14.5)
OTHER_INS = "275126322074974"  # another one
METADATA = "IHE_XDM/SUBSET01/METADATA.XML"
CDA = "IHE_XDM/SUBSET01/DOC0001.XML"
PDF = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"

MARKS = Marks(1_790_000_000.0, UUID(int=1), UUID(int=2), "=_limite", "<document-1@mx.exemple.mssante.fr>")

REQUEST = DocumentRequest(
    subject=Subject(INS, "PAT-TROIS", ("DOMINIQUE", "ANNE"), "F", date(1979, 3, 28), "51215"),
    author=Author("EXEMPLE", "Jean", "801234567897", "Clinique Exemple", "1750000000"),
    type_code="18748-4",
    title="Échographie du genou",
    written=date(2026, 9, 20),
    pdf=PDF,
    sender="automate@clinique-exemple.mssante.fr",
    recipient=f"{INS}@patient.mssante.fr",
    nil="3734",
    realm=Realm.TEST,
)


def built(**changes: object) -> BuiltDocument:
    """The sample document with some fields of the request changed."""
    return build_archive(replace(REQUEST, **changes), MARKS)  # type: ignore[arg-type]


def unpack(archive: bytes) -> dict[str, bytes]:
    """Files by name."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def pack(files: dict[str, bytes]) -> bytes:
    """A plain archive of these files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 9, 21, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def changed(files: dict[str, bytes], name: str, *pairs: tuple[bytes, bytes], honest: bool = True) -> bytes:
    """The archive with octets of one file replaced; `honest` describes a changed CDA anew in METADATA.XML."""
    content = files[name]
    for old, new in pairs:
        assert old in content
        content = content.replace(old, new)
    result = {**files, name: content}
    if name == CDA and honest:
        result[METADATA] = described(files[METADATA], content)
    return pack(result)


def described(metadata: bytes, cda: bytes) -> bytes:
    """METADATA.XML with the hash and the size of another CDA."""
    metadata = re.sub(
        rb'(name="hash"><ValueList><Value>)[0-9a-f]+', rb"\g<1>" + sha1(cda).hexdigest().encode(), metadata
    )
    return re.sub(rb'(name="size"><ValueList><Value>)[0-9]+', rb"\g<1>" + str(len(cda)).encode(), metadata)


@dataclass(frozen=True)
class Raw:
    """One entry of a zip made by hand; None means what is true of the content."""

    name: bytes
    content: bytes = b"x"
    local_name: bytes | None = None
    method: int = 0
    flags: int = 0
    mode: int = 0
    size: int | None = None
    crc: int | None = None
    extra: bytes = b""
    before: bytes = b""  # octets in front of the local header
    start: int | None = None  # where the table says that it begins


def raw_zip(
    *entries: Raw, count: int | None = None, before: bytes = b"", comment: bytes = b"", gap: bytes = b""
) -> bytes:
    """A zip from hand-made entries; `before` stands in front of all, `gap` before the table."""
    body, table = bytearray(before), bytearray()
    for one in entries:
        packed = zlib.compress(one.content)[2:-4] if one.method == 8 else one.content
        size = len(one.content) if one.size is None else one.size
        crc = zlib.crc32(one.content) if one.crc is None else one.crc
        body += one.before
        start = len(body) if one.start is None else one.start
        name = one.name if one.local_name is None else one.local_name
        body += struct.pack(
            "<4s5H3L2H", b"PK\3\4", 20, one.flags, one.method, 0, 33, crc, len(packed), size, len(name), 0
        )
        body += name + packed
        table += struct.pack(
            "<4s6H3L5H2L",
            b"PK\1\2",
            0x314,
            20,
            one.flags,
            one.method,
            0,
            33,
            crc,
            len(packed),
            size,
            len(one.name),
            len(one.extra),
            0,
            0,
            0,
            one.mode << 16,
            start,
        )
        table += one.name + one.extra
    body += gap
    number = len(entries) if count is None else count
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, number, number, len(table), len(body), len(comment))
    return bytes(body + table + end + comment)
