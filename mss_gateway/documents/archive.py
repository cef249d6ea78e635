"""One IHE_XDM archive (domain 16.1): every file read safely, and each document held against its description (INS-6)."""

from __future__ import annotations

import re
from dataclasses import replace
from hashlib import sha1

from mss_gateway.rules.facts import ArchiveFacts

from .cda import is_cda, read_cda
from .entries import read_entries
from .limits import DEFAULT_LIMITS, ArchiveLimits
from .metadata import Submission, read_metadata
from .problems import ArchiveProblem
from .record import Archive, Cda, Described, Document, PatientId
from .xmlreading import parse_xml

_METADATA = re.compile(r"(?i)(?P<folder>IHE_XDM/[^/]+)/METADATA\.XML\Z")
_COMPANION = re.compile(r"(?i)\.(?:xsl|xslt|css|html?|txt|pdf|png|jpe?g|gif|svg)\Z")
_XML_TYPES = frozenset(
    {"text/xml", "application/xml", "text/x-cda+xml", "application/x-hl7-cda-level-one+xml"}
)


def read_archive(data: bytes, limits: ArchiveLimits = DEFAULT_LIMITS) -> Archive:
    """Read an archive of any origin; what is wrong with it stands in `problem`. Never raises."""
    try:
        files = read_entries(data, limits)
    except ArchiveProblem as problem:
        return Archive(problem=problem.slug, where=problem.where)
    names = tuple(files)
    try:
        submissions = _submissions(files, limits)
    except ArchiveProblem as problem:
        return Archive(problem=problem.slug, where=problem.where, files=names)
    paths = {name.casefold(): name for name in files}
    documents = tuple(
        _document(described, paths, files, limits) for one in submissions for described in one.documents
    )
    archive = Archive(
        documents=documents,
        patients=tuple(dict.fromkeys(patient for one in submissions for patient in one.patients)),
        files=names,
    )
    slug, where = _first_problem(archive)
    return replace(archive, problem=slug, where=where)


def archive_facts(archive: Archive) -> ArchiveFacts:
    """What the rules need of an archive: its problem, and the INS numbers in either place (INS-6)."""
    return ArchiveFacts(
        problem=archive.problem,
        metadata=_ins(archive.patients),
        cda=frozenset().union(*(_ins(one.cda.patients) for one in archive.documents if one.cda is not None)),
        unnamed=any(
            not _ins(one.described.patients) or (one.cda is not None and not one.cda.named)
            for one in archive.documents
        ),
    )


def read_facts(data: bytes) -> ArchiveFacts:
    """The facts of an archive in one step: a `ports.documents.ReadArchive`. Never raises."""
    return archive_facts(read_archive(data))


def _ins(patients: tuple[PatientId, ...]) -> frozenset[str]:
    return frozenset(one.value for one in patients if one.is_ins)


def _submissions(files: dict[str, bytes], limits: ArchiveLimits) -> list[Submission]:
    found: list[Submission] = []
    for name, octets in files.items():
        place = _METADATA.match(name)
        if not place:
            continue
        if len(octets) > limits.metadata_size:
            raise ArchiveProblem("xdm-too-large", name)
        root = parse_xml(octets, limits, "xdm-malformed-metadata", name)
        found.append(read_metadata(root, place["folder"], name))
    if not found:
        raise ArchiveProblem("xdm-no-metadata")
    if not any(one.documents for one in found):
        raise ArchiveProblem("xdm-no-document")
    return found


def _path(described: Described) -> str:
    """Where a document stands: its URI is relative to the folder of its METADATA.XML."""
    uri = described.uri.replace("\\", "/")
    while uri.startswith("./"):
        uri = uri[2:]
    return f"{described.folder}/{uri}"


def _document(
    described: Described, paths: dict[str, str], files: dict[str, bytes], limits: ArchiveLimits
) -> Document:
    wanted = _path(described)
    path = paths.get(wanted.casefold())
    if path is None or not described.uri:
        return Document(described, wanted, problem="xdm-missing-document")
    octets = files[path]
    document = Document(described, path, size=len(octets))
    if described.size != str(len(octets)):
        return replace(document, problem="xdm-size")
    if described.hash != sha1(octets, usedforsecurity=False).hexdigest():
        return replace(document, problem="xdm-hash")
    try:
        return replace(document, cda=_cda(octets, described.media_type, path, limits))
    except ArchiveProblem as problem:
        return replace(document, problem=problem.slug)


def _cda(octets: bytes, media_type: str, path: str, limits: ArchiveLimits) -> Cda | None:
    """The CDA header when the document is one: told by its content, whatever its description says."""
    said = media_type in _XML_TYPES or path.lower().endswith(".xml")
    if not said and octets[:500].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] != b"<":
        return None
    root = parse_xml(octets, limits, "xdm-malformed-cda", path)
    return read_cda(root, path) if said or is_cda(root) else None


def _first_problem(archive: Archive) -> tuple[str, str]:
    named: set[str] = set()
    for document in archive.documents:
        if document.problem:
            return document.problem, document.path
        if document.path in named:
            return "xdm-duplicate", document.path
        named.add(document.path)
    for name in archive.files:
        if name not in named and not _METADATA.match(name) and not _COMPANION.search(name):
            return "xdm-unnamed-file", name
    return "", ""
