"""Zip archives that want something else than to be read (INS-6)."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.documents.archive import archive_facts, read_archive, read_facts
from mss_gateway.documents.entries import read_entries
from mss_gateway.documents.limits import DEFAULT_LIMITS, ArchiveLimits
from mss_gateway.documents.problems import PROBLEMS, ArchiveProblem
from tests.support.xdm import CDA, METADATA, Raw, built, pack, raw_zip, unpack

pytestmark = pytest.mark.req("INS-6")
GOOD = built().archive


def slug(data: bytes, limits: ArchiveLimits = DEFAULT_LIMITS) -> str:
    """What is wrong, empty when nothing is."""
    try:
        read_entries(data, limits)
    except ArchiveProblem as problem:
        return problem.slug
    return ""


def test_a_zip_made_by_hand_is_read() -> None:
    """The maker of hostile zips makes good ones too."""
    data = raw_zip(Raw(b"A.TXT", b"one"), Raw(b"B/", b""), Raw(b"B/C.TXT", b"two" * 50, method=8))
    assert read_entries(data, DEFAULT_LIMITS) == {"A.TXT": b"one", "B/C.TXT": b"two" * 50}


def test_a_zip_with_data_descriptors_is_read() -> None:
    """Software that packs into a stream writes sums behind each file."""

    class Stream(io.RawIOBase):
        def __init__(self) -> None:
            self.octets = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, octets: object) -> int:
            self.octets += bytes(octets)  # type: ignore[call-overload]
            return len(bytes(octets))  # type: ignore[call-overload]

    stream = Stream()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[arg-type]
        for name, content in unpack(GOOD).items():
            archive.writestr(name, content)
    assert read_archive(bytes(stream.octets)).problem == ""


@pytest.mark.parametrize(
    "name",
    [
        b"../A.TXT",
        b"A/../../B.TXT",
        b"/etc/A.TXT",
        b"C:/A.TXT",
        b"C:A.TXT",
        b"A\\B.TXT",
        b"\\\\server\\A.TXT",
        b"A\0.TXT",
        b"A//B.TXT",
        b"./A.TXT",
        b"A.TXT.",
        b"A .TXT ",
        b"NUL",
        b"aux.txt",
        b"A\n.TXT",
        b"",
        b"x" * 300,
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name: bytes) -> None:
    """Path escapes, absolute paths, drives, devices and controls."""
    assert slug(raw_zip(Raw(name))) == "xdm-path"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "xdm-not-zip"),
        (b"%PDF-1.4 no zip", "xdm-not-zip"),
        (GOOD[: len(GOOD) // 2], "xdm-truncated"),
        (GOOD[:-1], "xdm-truncated"),
        (GOOD + b"\0", "xdm-trailing"),
        (GOOD + GOOD, "xdm-malformed-zip"),
        (raw_zip(Raw(b"A"), before=b"MZ prefix"), "xdm-hidden"),
        (raw_zip(Raw(b"A"), Raw(b"B", before=b"hidden")), "xdm-hidden"),
        (raw_zip(Raw(b"A"), gap=b"hidden"), "xdm-hidden"),
        (raw_zip(Raw(b"A"), count=2), "xdm-malformed-zip"),
        (raw_zip(Raw(b"A"), Raw(b"B"), count=1), "xdm-malformed-zip"),
        (raw_zip(Raw(b"A"), Raw(b"A")), "xdm-duplicate"),
        (raw_zip(Raw(b"a.txt"), Raw(b"A.TXT")), "xdm-duplicate"),
        (raw_zip(Raw(b"A"), Raw(b"A/B")), "xdm-duplicate"),
        (raw_zip(Raw("é".encode(), flags=0x800), Raw("e\u0301".encode(), flags=0x800)), "xdm-duplicate"),
        (raw_zip(Raw(b"A", mode=0o120777)), "xdm-symlink"),
        (raw_zip(Raw(b"A", mode=0o060600)), "xdm-symlink"),
        (raw_zip(Raw(b"A", flags=1)), "xdm-encrypted"),
        (raw_zip(Raw(b"A", flags=0x2000)), "xdm-encrypted"),
        (raw_zip(Raw(b"A", method=12)), "xdm-method"),
        (raw_zip(Raw(b"A", method=99)), "xdm-method"),
        (raw_zip(Raw(b"A", crc=1)), "xdm-checksum"),
        (raw_zip(Raw(b"A", size=2)), "xdm-header"),
        (raw_zip(Raw(b"A", local_name=b"B")), "xdm-header"),
        (raw_zip(Raw(b"A"), Raw(b"B", start=0)), "xdm-overlap"),
        (raw_zip(Raw(b"A", start=5000)), "xdm-hidden"),
        (raw_zip(Raw(b"A.ZIP")), "xdm-nested"),
        (raw_zip(Raw(b"DOC.XML", GOOD)), "xdm-nested"),
        (raw_zip(Raw(b"DOC.XML", b"\x1f\x8b\x08\0", method=8)), "xdm-nested"),
        (raw_zip(Raw(b"A/", b"not empty")), "xdm-path"),
        (raw_zip(Raw(b"A", extra=struct.pack("<HHQ", 1, 8, 5))), "xdm-malformed-zip"),
        (raw_zip(Raw(b"A", extra=struct.pack("<HHBL", 0x7075, 6, 1, 0) + b"B")), "xdm-header"),
        (raw_zip(Raw(b"\xff", flags=0x800)), "xdm-path"),
    ],
)
def test_each_deceit_has_its_slug(data: bytes, expected: str) -> None:
    """One zip for each thing that two programs could read differently."""
    assert slug(data) == expected
    facts = read_facts(data)
    assert facts.problem == expected
    assert not facts.metadata


def test_a_quoted_overlap_is_refused() -> None:
    """Many names for one kernel of octets: the bomb that old zipfiles unpack."""
    kernel = raw_zip(Raw(b"A", b"\0" * 5000, method=8))
    entries = [Raw(b"%d" % number, b"\0" * 5000, method=8, start=0) for number in range(20)]
    assert slug(raw_zip(*entries)) in ("xdm-overlap", "xdm-header")
    assert slug(kernel) == ""


def test_a_file_that_grows_beyond_measure_is_refused() -> None:
    """Judged by the sizes told, before anything is unpacked."""
    zeros = b"\0" * (3 * 1024 * 1024)
    assert slug(raw_zip(Raw(b"A", zeros, method=8))) == "xdm-bomb"


def test_many_files_that_grow_a_little_each_are_refused() -> None:
    """Each is small enough; together they are not."""
    entries = [Raw(b"%d.TXT" % number, b"\0" * 1_000_000, method=8) for number in range(18)]
    assert slug(raw_zip(*entries)) == "xdm-bomb"
    assert slug(raw_zip(*entries[:10])) == ""


def test_a_file_that_lies_about_its_size_is_stopped_there() -> None:
    """The unpacking ends one octet after the size told."""
    assert slug(raw_zip(Raw(b"A", b"\0" * 9_000_000, method=8, size=100))) == "xdm-bomb"
    assert slug(raw_zip(Raw(b"A", b"abc", method=8, size=100))) == "xdm-checksum"


def test_broken_deflate_data_is_refused() -> None:
    """Octets that are no deflate stream."""
    data = bytearray(raw_zip(Raw(b"A", b"abcdefgh" * 9, method=8)))
    data[31:33] = b"\xff\xff"
    assert slug(bytes(data)) == "xdm-checksum"


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (ArchiveLimits(entries=3), "xdm-too-many"),
        (ArchiveLimits(entry_size=1000), "xdm-too-large"),
        (ArchiveLimits(total_size=4000), "xdm-too-large"),
        (ArchiveLimits(metadata_size=1000), "xdm-too-large"),
        (ArchiveLimits(markup=20), "xdm-too-large"),
        (ArchiveLimits(quotes=20), "xdm-too-large"),
    ],
)
def test_bounds_are_kept(limits: ArchiveLimits, expected: str) -> None:
    """Each limit is looked at."""
    assert read_archive(GOOD).problem == ""
    found = read_archive(GOOD, limits)
    assert expected in (found.problem, *(one.problem for one in found.documents))


def test_a_stored_archive_and_a_lower_case_folder_are_read() -> None:
    """Software differs in case and packing."""
    files = {name.lower(): content for name, content in unpack(GOOD).items()}
    data = raw_zip(*(Raw(name.encode(), content) for name, content in files.items()))
    assert read_archive(data).problem == ""
    assert archive_facts(read_archive(data)) == archive_facts(read_archive(GOOD))


@settings(max_examples=150)
@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_no_single_changed_octet_goes_unnoticed_or_raises(place: int, mask: int) -> None:
    """Whatever octet is hit, the facts stay the same or a slug says why not."""
    data = bytearray(GOOD)
    data[place] ^= mask
    facts = read_facts(bytes(data))
    assert facts == read_facts(GOOD) or facts.problem in PROBLEMS


@settings(max_examples=100)
@given(st.binary(max_size=300), st.booleans())
def test_noise_never_raises(noise: bytes, with_end: bool) -> None:
    """Random octets, with and without an end record."""
    data = noise + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 46, max(0, len(noise) - 46), 0) * with_end
    assert read_facts(data).problem in PROBLEMS


def test_every_file_is_unpacked_whole() -> None:
    """The strict reader and the standard library agree on a good archive."""
    assert read_entries(GOOD, DEFAULT_LIMITS) == unpack(GOOD)
    assert {METADATA, CDA} < set(unpack(GOOD))
    assert zlib.crc32(unpack(GOOD)[CDA]) == zipfile.ZipFile(io.BytesIO(GOOD)).getinfo(CDA).CRC
    assert read_archive(pack(unpack(GOOD))).problem == ""
