"""The header of a CDA R2 (domain 16.3): whom it speaks of, what it is, what its body holds."""

from __future__ import annotations

from .problems import ArchiveProblem
from .record import Cda, Code, PatientId, Traits, patient_id
from .xmlreading import Element, text_of

HL7 = "urn:hl7-org:v3"
"""The namespace of CDA."""

ROOT = f"{{{HL7}}}ClinicalDocument"
"""The root element of every CDA."""

_N = {"h": HL7}


def is_cda(root: Element) -> bool:
    """True when the root element is HL7's ClinicalDocument."""
    return root.tag == ROOT


def read_cda(root: Element, where: str, *, inside: bool = True) -> Cda:
    """The header of a parsed CDA; raises `ArchiveProblem` when the root is another one.

    Every recordTarget counts, wherever it stands and whatever its namespace, so that no patient can hide from this
    reader in a place where another one looks.
    """
    if not is_cda(root):
        raise ArchiveProblem("xdm-malformed-cda", where)
    patients = [
        one for target in root.iter("{*}recordTarget") for one in _identifiers(target, "{*}patientRole/{*}id")
    ]
    target = root.find("h:recordTarget", _N)
    own = [] if target is None else _identifiers(target, "{urn:hl7-org:v3}patientRole/{urn:hl7-org:v3}id")
    level, media_type, content = _body(root, inside)
    return Cda(
        patients=tuple(dict.fromkeys(patients)),
        named=any(one.is_ins for one in own),
        traits=_traits(target),
        code=_code(root.find("h:code", _N)),
        title=text_of(root.find("h:title", _N)),
        unique_id=_unique(root.find("h:id", _N)),
        created=_value(root.find("h:effectiveTime", _N)),
        confidentiality=tuple(_code(one) for one in root.findall("h:confidentialityCode", _N)),
        level=level,
        media_type=media_type,
        inside=content,
    )


def _identifiers(target: Element, path: str) -> list[PatientId]:
    return [patient_id(one.get("extension", ""), one.get("root", "")) for one in target.findall(path)]


def _code(element: Element | None) -> Code:
    if element is None:
        return Code()
    return Code(element.get("code", ""), element.get("codeSystem", ""), element.get("displayName", ""))


def _value(element: Element | None) -> str:
    return "" if element is None else element.get("value", "")


def _unique(element: Element | None) -> str:
    if element is None:
        return ""
    extension = element.get("extension", "")
    return element.get("root", "") + (f"^{extension}" if extension else "")


def _traits(target: Element | None) -> Traits:
    patient = None if target is None else target.find("h:patientRole/h:patient", _N)
    if patient is None:
        return Traits()
    family = _qualified(patient, "family", "BR")
    listed = [text_of(one) for one in patient.findall("h:name/h:given", _N) if one.get("qualifier") is None]
    first = _qualified(patient, "given", "BR") or _qualified(patient, "given", None)
    given = (*([first] if first else []), *(one for one in listed if one and one != first))
    sex = patient.find("h:administrativeGenderCode", _N)
    address = patient.find("h:birthplace/h:place/h:addr", _N)
    place = None
    if address is not None:
        place = next(
            (
                one
                for name in ("county", "postalCode", "city")
                if (one := address.find(f"h:{name}", _N)) is not None
            ),
            address,
        )
    return Traits(
        family=family or _qualified(patient, "family", None),
        given=given,
        sex="" if sex is None else sex.get("code", ""),
        born=_value(patient.find("h:birthTime", _N)),
        place=text_of(place),
    )


def _qualified(patient: Element, name: str, qualifier: str | None) -> str:
    """The first name part with a qualifier: `BR` is that of birth."""
    for one in patient.findall(f"h:name/h:{name}", _N):
        if qualifier is None or qualifier in one.get("qualifier", "").split():
            return text_of(one)
    return ""


def _body(root: Element, keep: bool) -> tuple[str, str, str]:
    """Level, and for N1 the media type of the file inside, with its base64 when that is to be kept."""
    component = root.find("h:component", _N)
    if component is None:
        return "", "", ""
    if component.find("h:structuredBody", _N) is not None:
        return "N3", "", ""
    text = component.find("h:nonXMLBody/h:text", _N)
    if text is None:
        return "", "", ""
    encoded = text.get("representation", "").upper() == "B64"
    return "N1", text.get("mediaType", "").lower(), (text.text or "") if keep and encoded else ""
