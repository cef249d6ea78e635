"""One IHE_XDM archive (domain 16.1): every file read safely, and each document held against its description (INS-6)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha1

from mss_gateway.rules.facts import ArchiveFacts

from .cda import is_cda, read_cda
from .entries import read_entries
from .limits import DEFAULT_LIMITS, ArchiveLimits
from .metadata import Submission, read_metadata
from .problems import ArchiveProblem
from .record import Archive, Cda, Described, Document, PatientId
from .xmlreading import check_markup, looks_like_xml, parse_xml

_METADATA = re.compile(r"(?i)(?P<folder>IHE_XDM/[^/]+)/METADATA\.XML\Z")
_COMPANION = re.compile(r"(?i)\.(?:xsl|xslt|css|html?|txt|pdf|png|jpe?g|gif|svg)\Z")
_XML_TYPES = frozenset(
    {"text/xml", "application/xml", "text/x-cda+xml", "application/x-hl7-cda-level-one+xml"}
)


def read_archive(data: bytes, limits: ArchiveLimits = DEFAULT_LIMITS, *, inside: bool = False) -> Archive:
    """Read an archive of any origin; what is wrong with it stands in `problem`. Never raises.

    `inside` keeps the base64 of the files in CDAs of level N1, which the gate has no use for.
    """
    try:
        files = read_entries(data, limits)
    except ArchiveProblem as problem:
        return Archive(problem=problem.slug, where=problem.where)
    names = tuple(files)
    try:
        check_markup((octets for name, octets in files.items() if _is_xml(name, octets)), limits)
        submissions = _submissions(files, limits)
    except ArchiveProblem as problem:
        return Archive(problem=problem.slug, where=problem.where, files=names)
    documents = _documents(submissions, files, inside)
    archive = Archive(
        documents=tuple(documents),
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
        root = parse_xml(octets, "xdm-malformed-metadata", name)
        found.append(read_metadata(root, place["folder"], name))
    if not found:
        raise ArchiveProblem("xdm-no-metadata")
    count = sum(len(one.documents) for one in found)
    if not count or count > limits.entries:
        raise ArchiveProblem("xdm-too-many" if count else "xdm-no-document")
    return found


def _path(described: Described) -> str:
    """Where a document stands: its URI is relative to the folder of its METADATA.XML."""
    uri = described.uri.replace("\\", "/")
    while uri.startswith("./"):
        uri = uri[2:]
    return f"{described.folder}/{uri}"


def _documents(submissions: list[Submission], files: dict[str, bytes], inside: bool) -> Iterator[Document]:
    """Each described document held against its file; a file that is described twice is read once."""
    paths = {name.casefold(): name for name in files}
    seen: set[str] = set()
    for described in (described for one in submissions for described in one.documents):
        wanted = _path(described)
        path = paths.get(wanted.casefold())
        if path is None or not described.uri:
            yield Document(described, wanted, problem="xdm-missing-document")
        elif path in seen:
            yield Document(described, path, problem="xdm-duplicate")
        else:
            seen.add(path)
            yield _document(described, path, files[path], inside)


def _document(described: Described, path: str, octets: bytes, inside: bool) -> Document:
    document = Document(described, path, size=len(octets))
    if described.size != str(len(octets)):
        return replace(document, problem="xdm-size")
    if described.hash != sha1(octets, usedforsecurity=False).hexdigest():
        return replace(document, problem="xdm-hash")
    try:
        return replace(document, cda=_cda(octets, described.media_type, path, inside))
    except ArchiveProblem as problem:
        return replace(document, problem=problem.slug)


def _is_xml(path: str, octets: bytes) -> bool:
    return path.lower().endswith(".xml") or looks_like_xml(octets)


def _cda(octets: bytes, media_type: str, path: str, inside: bool) -> Cda | None:
    """The CDA header when the document is one: told by its content, whatever its description says."""
    said = media_type in _XML_TYPES or path.lower().endswith(".xml")
    if not said and not looks_like_xml(octets):
        return None
    if not looks_like_xml(octets):
        raise ArchiveProblem("xdm-malformed-cda", path)
    root = parse_xml(octets, "xdm-malformed-cda", path)
    return read_cda(root, path, inside=inside) if said or is_cda(root) else None


def _first_problem(archive: Archive) -> tuple[str, str]:
    for document in archive.documents:
        if document.problem:
            return document.problem, document.path
    named = {document.path for document in archive.documents}
    for name in archive.files:
        if name not in named and not _METADATA.match(name) and not _COMPANION.search(name):
            return "xdm-unnamed-file", name
    return "", ""
