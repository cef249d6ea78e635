"""What kind of file an attachment is, by its media type and its name (PAT-5)."""

from __future__ import annotations

from .facts import Attachment

KINDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "pdf": (frozenset({"application/pdf"}), frozenset({"pdf"})),
    "jpeg": (frozenset({"image/jpeg", "image/jpg", "image/pjpeg"}), frozenset({"jpg", "jpeg"})),
    "png": (frozenset({"image/png", "image/x-png"}), frozenset({"png"})),
    "tiff": (frozenset({"image/tiff", "image/x-tiff"}), frozenset({"tif", "tiff"})),
    "txt": (frozenset({"text/plain"}), frozenset({"txt"})),
    "rtf": (frozenset({"application/rtf", "text/rtf", "application/x-rtf"}), frozenset({"rtf"})),
    "doc": (frozenset({"application/msword"}), frozenset({"doc"})),
    "docx": (
        frozenset({"application/vnd.openxmlformats-officedocument.wordprocessingml.document"}),
        frozenset({"docx"}),
    ),
}
"""Kind to its media types and file name endings; `ihe_xdm` is told by its name alone."""

ARCHIVE = "ihe_xdm"
"""The kind of an IHE_XDM archive."""

_ZIP = frozenset({"application/zip", "application/x-zip-compressed", "application/octet-stream"})
_UNTOLD = frozenset({"", "application/octet-stream", "application/x-download", "application/force-download"})


def is_archive(attachment: Attachment) -> bool:
    """True for `IHE_XDM.zip` in any case (domain 16.1), and for numbered ones such as `IHE_XDM_2.zip`."""
    name = attachment.name.lower()
    return name.startswith("ihe_xdm") and name.endswith(".zip") and attachment.media_type in _ZIP


def kind_of(attachment: Attachment) -> str | None:
    """The kind, None for anything else. A type that says nothing leaves the word to the name.

    Type and name must not contradict each other: a `.exe` sent as application/pdf is no PDF.
    """
    if is_archive(attachment):
        return ARCHIVE
    ending = attachment.name.rpartition(".")[2].lower() if "." in attachment.name else ""
    for kind, (types, endings) in KINDS.items():
        if attachment.media_type in types:
            return kind if not ending or ending in endings else None
        if attachment.media_type in _UNTOLD and ending in endings:
            return kind
    return None
