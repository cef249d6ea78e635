"""The MIME tree of a message as byte spans (RFC 2045, RFC 2046), in linear time and with caps.

Nothing is decoded and no body is copied. Broken mail never raises: what has no usable boundary is
read as plain text, what lies beyond a cap as one opaque part.
"""

from __future__ import annotations

import re

from .message import MAX_HEADER, Header
from .mime import MAX_BOUNDARY, OPAQUE, RFC822, TEXT_PLAIN, Typed, boundary_of, parse_content_type, token
from .spans import Text

MAX_PARTS = 10_000
"""Parts told apart in one message."""

MAX_DEPTH = 100
"""Levels of nesting followed."""

MAX_PART_HEADERS = 1 << 20
"""Octets of part headers read in one message; parts after that count as opaque."""

_LOOKS = 16  # times that a text as a whole may be searched: each level of nesting searches what lies in it
_FREE_LOOKS = 16 << 20  # octets searched besides, so that small mail may be nested to the last level
_MAX_REJECTED = 100_000  # lines that begin like a delimiter and are none
_TAIL = re.compile(rb"(--)?[ \t]*+(?:\r?\n|\r?\Z)")
_FIELD = re.compile(rb"[!-9;-~]++[ \t]*+:")
_EMPTY = Header(b"")

LEAF, MULTIPART, MESSAGE = 0, 1, 2
"""Kinds of part: content, container of parts, container of one message."""


class MimePart:
    """One part. Spans are offsets in the text: header from `start` to `body`, content from `body` to `end`.

    The root of the message has an empty header span, since its header is kept apart. `children` holds
    the parts of a multipart, or the one root of a nested message. `cut` tells of the root that a cap was
    reached: other programs may see parts that are not in the tree.
    """

    __slots__ = ("body", "children", "cut", "depth", "end", "header", "kind", "lines", "start", "type")

    def __init__(self, start: int, end: int, depth: int, header: Header, kind: Typed) -> None:
        self.start = start
        self.body = start
        self.end = end
        self.depth = depth
        self.header = header
        self.type = kind
        self.kind = LEAF
        self.lines = 0
        self.children: list[MimePart] = []
        self.cut = False

    @property
    def size(self) -> int:
        """Octets of the content, still encoded."""
        return self.end - self.body


class _Scan:
    """One walk over one text, with what is left of each cap."""

    __slots__ = ("exhausted", "headers", "looks", "parts", "rejected", "text")

    def __init__(self, text: Text) -> None:
        self.text = text
        self.parts = 1
        self.headers = MAX_PART_HEADERS
        self.rejected = _MAX_REJECTED
        self.looks = _LOOKS * text.size + _FREE_LOOKS
        self.exhausted = False

    def fill(self, part: MimePart) -> None:
        """Find the children of a part whose header is known."""
        main, sub, _ = part.type
        if main in (b"multipart", b"message") and not self._may_look(part):
            part.type = OPAQUE
        elif main == b"multipart":
            boundary = boundary_of(part.type)
            if boundary and len(boundary) <= MAX_BOUNDARY and part.depth < MAX_DEPTH:
                self._split(part, b"--" + boundary.rstrip(b" \t"))
            if part.children:
                part.kind = MULTIPART
                return
            part.type = TEXT_PLAIN if part.depth < MAX_DEPTH else OPAQUE
        elif main == b"message" and sub in (b"rfc822", b"global"):
            # Content that is encoded in spite of RFC 2046 section 5.2.1 is no message to look into.
            encoding = token(part.header.first(b"content-transfer-encoding") or b"7bit")
            if (
                part.depth < MAX_DEPTH
                and self.parts < MAX_PARTS
                and encoding not in (b"base64", b"quoted-printable")
            ):
                part.kind = MESSAGE
                part.children.append(self._part(part.body, part.end, part.depth + 1, TEXT_PLAIN))
            else:
                part.type = OPAQUE
        if part.kind == MESSAGE or part.type.main == b"text":
            part.lines = self.text.count_lines(part.body, part.end)

    def _may_look(self, part: MimePart) -> bool:
        """Whether a container may be searched; nesting must not make a large text be searched a hundred times."""
        if part.size > self.looks:
            self.exhausted = True
            return False
        self.looks -= part.size
        return True

    def _split(self, part: MimePart, delimiter: bytes) -> None:
        text, end = self.text, part.end
        default = RFC822 if part.type.sub == b"digest" else TEXT_PLAIN
        open_at = -1  # where the part being read starts
        position = part.body
        while True:
            found, after, closing = self._delimiter(delimiter, part.body, position, end)
            if open_at >= 0:
                stop = self._before(open_at, found) if found >= 0 else end
                if self.parts >= MAX_PARTS:
                    return
                part.children.append(self._part(open_at, stop, part.depth + 1, default))
            if found < 0 or closing:
                return
            if self.parts >= MAX_PARTS:
                return
            open_at = position = after
            if open_at >= end and text.size >= end:
                # A delimiter at the very end opens an empty part.
                part.children.append(self._part(end, end, part.depth + 1, default))
                return

    def _delimiter(self, delimiter: bytes, first: int, position: int, end: int) -> tuple[int, int, bool]:
        """The next delimiter line: where it starts, where the next line starts, whether it closes."""
        text = self.text
        width = len(delimiter)
        while self.rejected > 0:
            if position == first and text.slice(first, min(end, first + width)) == delimiter:
                found = first
            else:
                found = text.find(b"\n" + delimiter, max(first, position - 1), end) + 1
                if not found:
                    break
            tail = text.slice(found + width, min(end, found + width + 100))
            match = _TAIL.match(tail)
            if match and (match.end() < 100 or tail.endswith(b"\n")):
                return found, found + width + match.end(), match[1] is not None
            self.rejected -= 1
            position = found + width
        return -1, end, True

    def _before(self, start: int, delimiter: int) -> int:
        """The end of content: the line break before a delimiter belongs to the delimiter."""
        stop = delimiter - 1
        if self.text.slice(max(start, stop - 1), stop) == b"\r":
            stop -= 1
        return max(start, stop)

    def _part(self, start: int, end: int, depth: int, default: Typed) -> MimePart:
        self.parts += 1
        body = self._body_start(start, end)
        size = body - start
        if size > min(self.headers, MAX_HEADER):
            part = MimePart(start, end, depth, _EMPTY, OPAQUE)
            part.body = body
            return part
        self.headers -= size
        header = Header(self.text.slice(start, body)) if size > 2 else _EMPTY
        value = header.first(b"content-type")
        part = MimePart(start, end, depth, header, parse_content_type(value) if value else default)
        part.body = body
        self.fill(part)
        return part

    def _body_start(self, start: int, end: int) -> int:
        text = self.text
        head = text.slice(start, min(end, start + 200))
        if head.startswith(b"\r\n"):
            return start + 2
        if head.startswith(b"\n"):
            return start + 1
        if not _FIELD.match(head):
            return start  # content without any header, as some deployed software writes it
        crlf = text.find(b"\n\r\n", start, end)
        lf = text.find(b"\n\n", start, crlf + 1 if crlf >= 0 else end)
        if lf >= 0:
            return lf + 2
        return crlf + 3 if crlf >= 0 else end


def scan_structure(header: Header, text: Text) -> MimePart:
    """Return the root of the MIME tree of a message whose header is kept apart from its text."""
    value = header.first(b"content-type")
    root = MimePart(0, text.size, 0, header, parse_content_type(value) if value else TEXT_PLAIN)
    scan = _Scan(text)
    scan.fill(root)
    root.cut = scan.parts >= MAX_PARTS or scan.rejected <= 0 or scan.exhausted
    return root
