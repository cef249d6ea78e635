"""METADATA.XML of one submission set: ebRIM 3.0, read as the published examples really are (domain 16.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .problems import ArchiveProblem
from .record import Code, Described, PatientId, Traits, patient_id
from .xmlreading import Element, local_name

SCHEMES = {
    "author": "93606bcf-9494-43ec-9b4e-a7748d1a838d",
    "type": "f0306f51-975f-434e-a61c-c59651d33983",
    "class": "41a5887f-8865-4c09-adf7-e362475b143a",
    "format": "a09d5840-386c-46f2-b5ad-9c3699a4309d",
    "confidentiality": "f4f85eac-e6cb-4883-b524-f2705394840f",
    "facility": "f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1",
    "practice": "cccf5598-8b07-4b77-a05e-ae952c785ead",
    "patient": "58a6f841-87b3-4a3e-92fd-a8ffeff98427",
    "unique": "2e82c1f6-a085-4c72-9da3-8640a32e42ab",
    "set-patient": "6b5aea1a-874d-4603-a4bc-96a0a7b38446",
    "set-source": "554ac39e-e3fe-47fe-b233-965d2a147832",
    "set-unique": "96fdda7c-d067-4183-912e-bf5ee74998a8",
    "set-author": "a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d",
    "set-content": "aa543740-bdda-424e-8c96-df4873be8500",
    "set": "a54d6aa5-d40d-43f9-88c5-b4633d873bdd",
    "document": "7edca82f-054d-47f2-a032-9b2a5b5186c1",
}
"""UUIDs of ebRIM schemes (domain 16.2), without their prefix `urn:uuid:`."""

_PATIENT_SCHEMES = (SCHEMES["patient"], SCHEMES["set-patient"])
_ROOTS = frozenset({"submitobjectsrequest", "provideandregisterdocumentsetrequest", "registryobjectlist"})
_SINGLE = frozenset({"hash", "size", "creationtime", "uri", "sourcepatientid"})
_PIECE = re.compile(r"([0-9]{1,3})\|")


@dataclass(frozen=True, slots=True)
class Submission:
    """What one METADATA.XML holds: its documents, and every patient that it names anywhere."""

    documents: tuple[Described, ...]
    patients: tuple[PatientId, ...]


def read_metadata(root: Element, folder: str, where: str) -> Submission:
    """Documents and patients of a parsed METADATA.XML; `folder` is the one that it stands in.

    Raises `ArchiveProblem`.
    """
    if local_name(root) not in _ROOTS:
        raise ArchiveProblem("xdm-malformed-metadata", where)
    objects: list[Element] = []
    apart: dict[str, list[Element]] = {}  # what stands beside its object and refers to it
    patients: list[PatientId] = []
    for element in root.iter():
        name = local_name(element)
        if name == "extrinsicobject":
            objects.append(element)
        elif name in ("externalidentifier", "classification"):
            if name == "externalidentifier" and _is_patient(element):
                patients.append(read_cx(element.get("value", "")))
            owner = element.get("registryObject") or element.get("classifiedObject") or ""
            parent = element.getparent()
            if owner and (parent is None or local_name(parent) not in ("extrinsicobject", "registrypackage")):
                apart.setdefault(owner, []).append(element)
        elif name == "slot" and element.get("name", "").lower() in ("sourcepatientid", "sourcepatientinfo"):
            patients += (one for one in _slot_patients(element) if one.is_ins)
    documents = tuple(_document(one, apart.get(one.get("id", ""), ()), folder, where) for one in objects)
    return Submission(documents, tuple(dict.fromkeys(patients)))


def read_cx(value: str) -> PatientId:
    """An identifier in HL7's form CX: `279035121518989^^^&1.2.250.1.213.1.4.10&ISO^NH`."""
    parts = value.strip().split("^")
    authority = parts[3].split("&") if len(parts) > 3 else [""]
    return patient_id(parts[0], authority[1] if len(authority) > 1 else "")


def _document(element: Element, apart: Iterable[Element], folder: str, where: str) -> Described:
    slots: dict[str, list[str]] = {}
    values: dict[str, str] = {}
    codes: dict[str, list[Code]] = {}
    patients: list[PatientId] = []
    author = ""
    for child in (*element, *apart):
        name = local_name(child)
        if name == "slot":
            _add_slot(slots, child, where)
        elif name == "name":
            values["title"] = localized(child)
        elif name == "externalidentifier":
            if _is_patient(child):
                patients.append(read_cx(child.get("value", "")))
            elif _is(child, "unique", "xdsdocumententry.uniqueid"):
                values["unique"] = child.get("value", "")
        elif name == "classification":
            scheme = _scheme(child, "classificationScheme")
            codes.setdefault(scheme, []).append(_code(child))
            if scheme == SCHEMES["author"]:
                author = author or _author(child)
    return Described(
        uri=_uri(slots.get("uri", [])),
        folder=folder,
        hash=_first(slots, "hash").lower(),
        size=_first(slots, "size"),
        patients=tuple(patients),
        source_patients=tuple(read_cx(value) for value in slots.get("sourcepatientid", [])),
        source_traits=_traits(slots.get("sourcepatientinfo", [])),
        type=_one(codes, "type"),
        document_class=_one(codes, "class"),
        format=_one(codes, "format"),
        confidentiality=tuple(codes.get(SCHEMES["confidentiality"], ())),
        title=values.get("title", ""),
        created=_first(slots, "creationtime"),
        media_type=element.get("mimeType", "").strip().lower(),
        unique_id=values.get("unique", ""),
        author=author,
    )


def _add_slot(slots: dict[str, list[str]], slot: Element, where: str) -> None:
    """A slot given twice would let two readers take different values."""
    name = slot.get("name", "").lower()
    found = _values(slot)
    if name in _SINGLE and slots.get(name, found) != found:
        raise ArchiveProblem("xdm-malformed-metadata", where)
    if name in _SINGLE:
        slots[name] = found
    else:
        slots.setdefault(name, []).extend(found)


def _values(slot: Element) -> list[str]:
    """The values of a slot, not cut: no patient may stand beyond a limit."""
    return [
        " ".join("".join(map(str, one.itertext())).split())
        for one in slot.iter()
        if local_name(one) == "value"
    ]


def _uri(values: list[str]) -> str:
    """A long URI comes in numbered pieces: `1|…`, `2|…` (ITI TF-3, 4.2.3.2)."""
    pieces = [(_PIECE.match(value), value) for value in values]
    if len(values) > 1 and all(sign for sign, _ in pieces):
        ordered = sorted((int(sign[1]), value[sign.end() :]) for sign, value in pieces if sign)
        return "".join(text for _, text in ordered)
    return values[0] if len(values) == 1 else ""


def _first(slots: dict[str, list[str]], name: str) -> str:
    found = slots.get(name, [])
    return found[0] if len(found) == 1 else ""


def _one(codes: dict[str, list[Code]], scheme: str) -> Code:
    found = codes.get(SCHEMES[scheme])
    return found[0] if found else Code()


def _scheme(element: Element, attribute: str) -> str:
    return element.get(attribute, "").strip().lower().removeprefix("urn:uuid:")


def _is(element: Element, scheme: str, name: str) -> bool:
    told = _named(element)
    return told == name if told else _scheme(element, "identificationScheme") == SCHEMES[scheme]


def _is_patient(element: Element) -> bool:
    """By its name where it has one, for a published mapping gives patientId the scheme of uniqueId; else by scheme."""
    name = _named(element)
    if name:
        return name.rpartition(".")[2] == "patientid"
    return _scheme(element, "identificationScheme") in _PATIENT_SCHEMES


def _named(element: Element) -> str:
    for child in element:
        if local_name(child) == "name":
            return localized(child).lower()
    return ""


def localized(element: Element) -> str:
    """The text of a Name or Description: the value of its first LocalizedString."""
    for child in element:
        if local_name(child) == "localizedstring":
            return " ".join(child.get("value", "").split())[:1000]
    return ""


def _code(element: Element) -> Code:
    system = label = ""
    for child in element:
        name = local_name(child)
        if name == "slot" and child.get("name", "").lower() == "codingscheme":
            system = next(iter(_values(child)), "")
        elif name == "name":
            label = localized(child)
    return Code(element.get("nodeRepresentation", "").strip(), system, label)


def _author(element: Element) -> str:
    for child in element:
        if local_name(child) == "slot" and child.get("name", "").lower() == "authorperson":
            parts = next(iter(_values(child)), "").split("^")
            return " ".join(part for part in parts[1:3] if part)
    return ""


def _slot_patients(slot: Element) -> Iterator[PatientId]:
    """Identifiers in sourcePatientId and in the PID-3 lines of sourcePatientInfo."""
    for value in _values(slot):
        if slot.get("name", "").lower() == "sourcepatientid":
            yield read_cx(value)
        elif value.upper().startswith("PID-3|"):
            yield from map(read_cx, value[6:].split("~"))


def _traits(lines: list[str]) -> Traits:
    """`PID-5|…`, `PID-7|…`, `PID-8|…` of sourcePatientInfo."""
    fields = {name.upper(): value for name, _, value in (line.partition("|") for line in lines)}
    name = fields.get("PID-5", "").split("~")[0].split("^")
    given = tuple(part for part in name[1:3] if part)
    return Traits(name[0], given, fields.get("PID-8", ""), fields.get("PID-7", ""))
