"""Zip archives read strictly: one reading of every octet, or none (APPNOTE 6.3, section 4.3).

The standard library's zipfile trusts what it finds: it passes over octets in front and between, and before its
releases of 2024 over files that share octets. Programs then disagree on what an archive holds, so this reader takes
only archives of which there is one reading: files one after the other, then the table of contents, then the end.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from .limits import ArchiveLimits
from .names import check_distinct, check_name, names_archive
from .problems import ArchiveProblem

_END = struct.Struct("<4s4H2LH")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_SUMS = struct.Struct("<3L")
_MAX_COMMENT = 65535
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_DESCRIPTOR = 0x8
_UTF8 = 0x800
_STORED, _DEFLATED = 0, 8
_FILE_KINDS = (0, 0o100000, 0o040000)  # none told, regular file, folder
_ZIP64_EXTRA, _NAME_EXTRA = 0x0001, 0x7075
_SIGNS = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"Rar!",
    b"7z\xbc\xaf\x27\x1c",
    b"\x1f\x8b\x08",
    b"BZh",
    b"\xfd7zXZ\x00",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the table of contents; sizes in octets, `start` where the local header stands."""

    name: str
    raw: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    start: int

    @property
    def is_folder(self) -> bool:
        """Names of folders end with a slash."""
        return self.name.endswith("/")


def read_entries(data: bytes, limits: ArchiveLimits) -> dict[str, bytes]:
    """Every file of the archive, unpacked, by its name; raises `ArchiveProblem`."""
    entries, table = _table(data, limits)
    check_distinct([entry.name for entry in entries])
    _measure(entries, len(data), limits)
    files: dict[str, bytes] = {}
    octets = memoryview(data)
    position = 0
    for entry in sorted(entries, key=lambda one: one.start):
        if entry.start != position:
            raise ArchiveProblem("xdm-overlap" if entry.start < position else "xdm-hidden", entry.name)
        first, position = _extent(data, entry, table)
        content = _unpack(octets[first : first + entry.packed], entry)
        if entry.is_folder:
            continue
        if names_archive(entry.name) or content.startswith(_SIGNS):
            raise ArchiveProblem("xdm-nested", entry.name)
        files[entry.name] = content
    if position != table:
        raise ArchiveProblem("xdm-hidden")
    return files


def _end(data: bytes) -> tuple[int, int, int]:
    """Number of entries, begin of the table, its length."""
    at = data.rfind(b"PK\x05\x06", max(0, len(data) - _END.size - _MAX_COMMENT))
    if at < 0:
        raise ArchiveProblem("xdm-truncated" if data.startswith(b"PK\x03\x04") else "xdm-not-zip")
    if at + _END.size > len(data):
        raise ArchiveProblem("xdm-truncated")
    _, disk, first_disk, here, count, length, start, comment = _END.unpack_from(data, at)
    if at + _END.size + comment != len(data):
        raise ArchiveProblem("xdm-truncated" if at + _END.size + comment > len(data) else "xdm-trailing")
    if disk or first_disk or here != count or data.find(b"PK\x06\x07", max(0, at - 20), at) >= 0:
        raise ArchiveProblem("xdm-malformed-zip")  # several volumes, or tables of 64 bits beside those of 32
    if start + length != at:
        raise ArchiveProblem("xdm-truncated" if start + length > at else "xdm-malformed-zip")
    return count, start, length


def _table(data: bytes, limits: ArchiveLimits) -> tuple[list[Entry], int]:
    count, start, length = _end(data)
    if count > limits.entries:
        raise ArchiveProblem("xdm-too-many")
    entries: list[Entry] = []
    position, end = start, start + length
    for _ in range(count):
        entry, position = _central(data, position, end)
        entries.append(entry)
    if position != end:
        raise ArchiveProblem("xdm-malformed-zip")
    return entries, start


def _central(data: bytes, position: int, end: int) -> tuple[Entry, int]:
    if position + _CENTRAL.size > end:
        raise ArchiveProblem("xdm-malformed-zip")
    (sign, _, _, flags, method, _, _, crc, packed, size, named, extra, comment, disk, _, mode, start) = (
        _CENTRAL.unpack_from(data, position)
    )
    begin = position + _CENTRAL.size
    after = begin + named + extra + comment
    if sign != b"PK\x01\x02" or after > end or disk:
        raise ArchiveProblem("xdm-malformed-zip")
    raw = data[begin : begin + named]
    name = _name(raw, flags)
    check_name(name)
    if flags & _ENCRYPTED:
        raise ArchiveProblem("xdm-encrypted", name)
    if method not in (_STORED, _DEFLATED):
        raise ArchiveProblem("xdm-method", name)
    if mode >> 16 & 0o170000 not in _FILE_KINDS:
        raise ArchiveProblem("xdm-symlink", name)
    _check_extra(data[begin + named : begin + named + extra], name)
    return Entry(name, raw, flags, method, crc, packed, size, start), after


def _name(raw: bytes, flags: int) -> str:
    try:
        return raw.decode("utf-8" if flags & _UTF8 else "cp437")
    except UnicodeDecodeError:
        raise ArchiveProblem("xdm-path") from None


def _check_extra(extra: bytes, name: str) -> None:
    """Nothing in the additional fields may give the file other sizes or another name."""
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, position)
        if kind == _ZIP64_EXTRA or position + 4 + length > len(extra):
            raise ArchiveProblem("xdm-malformed-zip", name)
        if kind == _NAME_EXTRA and extra[position + 9 : position + 4 + length] != name.encode("utf-8"):
            raise ArchiveProblem("xdm-header", name)
        position += 4 + length


def _measure(entries: list[Entry], packed: int, limits: ArchiveLimits) -> None:
    """Judge the sizes that are told, before anything is unpacked; `_unpack` holds the files to them."""
    total = 0
    for entry in entries:
        total += entry.size
        if entry.size > limits.ratio_floor and entry.size > limits.ratio * entry.packed:
            raise ArchiveProblem("xdm-bomb", entry.name)
        if entry.size > limits.entry_size or total > limits.total_size:
            raise ArchiveProblem("xdm-too-large", entry.name)
        if entry.is_folder and entry.size:
            raise ArchiveProblem("xdm-path", entry.name)
    if total > limits.total_floor and total > limits.total_ratio * packed:
        raise ArchiveProblem("xdm-bomb")


def _extent(data: bytes, entry: Entry, table: int) -> tuple[int, int]:
    """Where the packed octets begin, and where the next file must; the local header must tell the same."""
    if entry.start + _LOCAL.size > table:
        raise ArchiveProblem("xdm-overlap", entry.name)
    sign, _, flags, method, _, _, crc, packed, size, named, extra = _LOCAL.unpack_from(data, entry.start)
    begin = entry.start + _LOCAL.size
    first = begin + named + extra
    told = (crc, packed, size)
    known = (entry.crc, entry.packed, entry.size)
    if (
        sign != b"PK\x03\x04"
        or flags != entry.flags
        or method != entry.method
        or data[begin : begin + named] != entry.raw
        or not (told == known or (flags & _DESCRIPTOR and not any(told)))
    ):
        raise ArchiveProblem("xdm-header", entry.name)
    if first + entry.packed > table:
        raise ArchiveProblem("xdm-overlap", entry.name)
    _check_extra(data[begin + named : first], entry.name)
    after = first + entry.packed
    return first, _past_descriptor(data, after, entry, table) if flags & _DESCRIPTOR else after


def _past_descriptor(data: bytes, after: int, entry: Entry, table: int) -> int:
    """The sums that stand behind a file which was packed as a stream, with or without their sign."""
    if data.startswith(b"PK\x07\x08", after):
        after += 4
    if after + _SUMS.size > table or _SUMS.unpack_from(data, after) != (entry.crc, entry.packed, entry.size):
        raise ArchiveProblem("xdm-header", entry.name)
    return after + _SUMS.size


def _unpack(packed: memoryview, entry: Entry) -> bytes:
    if entry.method == _STORED:
        content = bytes(packed)
        if entry.packed != entry.size:
            raise ArchiveProblem("xdm-header", entry.name)
    else:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = inflate.decompress(packed, entry.size + 1)
        except zlib.error:
            raise ArchiveProblem("xdm-checksum", entry.name) from None
        if len(content) > entry.size:
            raise ArchiveProblem("xdm-bomb", entry.name)
        if len(content) < entry.size or not inflate.eof or inflate.unused_data or inflate.unconsumed_tail:
            raise ArchiveProblem("xdm-checksum", entry.name)
    if zlib.crc32(content) != entry.crc:
        raise ArchiveProblem("xdm-checksum", entry.name)
    return content
