"""A conformant IHE_XDM archive around one PDF (domain 16.1); equal arguments give equal octets."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime

from .cda_writing import write_cda
from .companions import write_index, write_readme
from .metadata_writing import write_metadata
from .naming import pdf_name, subject_line
from .request import Checked, DocumentRequest, Marks, check_request

FOLDER = "IHE_XDM/SUBSET01/"
"""The folder of the only submission set."""

DOCUMENT = "DOC0001.XML"
"""The file name of the only CDA."""


@dataclass(frozen=True, slots=True)
class BuiltDocument:
    """An archive with what the message around it says: subject, name of the PDF, X-MSS fields."""

    checked: Checked
    marks: Marks
    archive: bytes = field(repr=False)
    subject: str = field(repr=False)
    pdf_name: str = field(repr=False)
    code: str
    ins_declared: bool


def build_archive(request: DocumentRequest, marks: Marks) -> BuiltDocument:
    """Build the archive of a request; raises `InvalidValue` naming what is wrong with it."""
    checked = check_request(request)
    cda = write_cda(checked, marks)
    paths = ("INDEX.HTM", "README.TXT", f"{FOLDER}{DOCUMENT}", f"{FOLDER}METADATA.XML")
    contents = (
        write_index(checked, f"{FOLDER}{DOCUMENT}"),
        write_readme(checked, paths),
        cda,
        write_metadata(checked, marks, cda, DOCUMENT),
    )
    return BuiltDocument(
        checked=checked,
        marks=marks,
        archive=_zip(zip(paths, contents, strict=True), marks.at),
        subject=subject_line(checked),
        pdf_name=pdf_name(checked),
        code=checked.type.code,
        ins_declared=checked.four_traits,
    )


def _zip(files: zip[tuple[str, bytes]], at: float) -> bytes:
    moment = datetime.fromtimestamp(at, UTC)
    time = (max(moment.year, 1980), moment.month, moment.day, moment.hour, moment.minute, moment.second)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files:
            info = zipfile.ZipInfo(path, time)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3  # else it is that of the machine
            info.external_attr = 0o100644 << 16
            archive.writestr(info, content)
    return out.getvalue()
