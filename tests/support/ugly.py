"""Ugly letters, made by code: what deployed and hostile software sends against the MIME rules, lines end in CRLF."""

from __future__ import annotations

from collections.abc import Iterator

HEAD = b"From: Dr. Martin <martin@hopital.example>\r\nTo: <accueil@clinique.example>\r\nSubject: essai\r\n"


def message(kind: bytes, *lines: bytes, head: bytes = HEAD) -> bytes:
    """A letter of this Content-Type over these lines."""
    typed = b"MIME-Version: 1.0\r\nContent-Type: " + kind + b"\r\n" if kind else b""
    return head + typed + b"\r\n" + b"".join(line + b"\r\n" for line in lines)


def mixed(*lines: bytes, boundary: bytes = b"b") -> bytes:
    """A multipart/mixed over these lines, delimiters included."""
    return message(b'multipart/mixed; boundary="' + boundary + b'"', *lines)


def nested(levels: int) -> bytes:
    """A text below so many multiparts."""
    lines: list[bytes] = []
    for level in range(1, levels):
        lines += [b"--b%d" % (level - 1), b"Content-Type: multipart/mixed; boundary=b%d" % level, b""]
    lines += [b"--b%d" % (levels - 1), b"", b"au fond"]
    lines += [b"--b%d--" % level for level in range(levels - 1, -1, -1)]
    return message(b"multipart/mixed; boundary=b0", *lines)


def forwarded(levels: int) -> bytes:
    """A text below so many message/rfc822."""
    inner = message(b"text/plain", b"au fond")
    for level in range(levels):
        inner = message(b"message/rfc822", head=b"Subject: niveau %d\r\n" % level) + inner
    return inner


def many(parts: int) -> bytes:
    """A multipart of so many small parts."""
    return mixed(*(line for number in range(parts) for line in (b"--b", b"", b"%d" % number)), b"--b--")


def _structures() -> Iterator[tuple[str, bytes]]:
    """What is wrong with boundaries."""
    yield "no boundary parameter", message(b"multipart/mixed", b"--b", b"", b"a", b"--b--")
    yield "empty boundary", message(b'multipart/mixed; boundary=""', b"--", b"", b"a", b"----")
    yield "boundary never used", mixed(b"only a preamble")
    yield "preamble and close only", mixed(b"preamble", b"--b--", b"epilogue")
    yield "no final boundary", mixed(b"--b", b"", b"a", b"--b", b"", b"b")
    yield "final boundary without line end", mixed(b"--b", b"", b"a", b"--b--")[:-2]
    yield "boundary with trailing spaces", mixed(b"--b  \t", b"", b"a", b"--b-- ", b"epilogue")
    yield "boundary parameter with trailing spaces", mixed(b"--b", b"", b"a", b"--b--", boundary=b"b  ")
    yield "boundary with spaces inside", mixed(b"--b c", b"", b"a", b"--b c--", boundary=b"b c")
    yield "boundary is a prefix of a line", mixed(b"--b", b"", b"a", b"--bc", b"x", b"--b--")
    yield (
        "inner boundary begins with the outer",
        mixed(
            b"--b",
            b"Content-Type: multipart/mixed; boundary=bb",
            b"",
            b"--bb",
            b"",
            b"in",
            b"--bb--",
            b"--b",
            b"",
            b"out",
            b"--b--",
        ),
    )
    yield (
        "same boundary inside and outside",
        mixed(
            b"--b",
            b"Content-Type: multipart/mixed; boundary=b",
            b"",
            b"--b",
            b"",
            b"a",
            b"--b--",
            b"",
            b"--b--",
        ),
    )
    yield (
        "outer boundary ends the inner",
        mixed(
            b"--b",
            b"Content-Type: multipart/mixed; boundary=in",
            b"",
            b"--in",
            b"",
            b"in",
            b"--b",
            b"",
            b"out",
            b"--b--",
        ),
    )
    yield (
        "boundary parameter twice",
        message(b"multipart/mixed; boundary=b; boundary=c", b"--b", b"", b"a", b"--b--"),
    )
    yield "parts after the close", mixed(b"--b", b"", b"a", b"--b--", b"--b", b"", b"hidden", b"--b--")
    yield "adjacent delimiters", mixed(b"--b", b"--b", b"--b--")


def _parts() -> Iterator[tuple[str, bytes]]:
    """What is wrong with parts, and how a boundary may be written."""
    yield "empty parts", mixed(b"--b", b"", b"", b"--b", b"", b"--b--")
    yield "header without body", mixed(b"--b", b"Content-Type: text/plain", b"--b--")
    yield "part without empty line", mixed(b"--b", b"just text", b"", b"more", b"--b--")
    yield "delimiter in the header", mixed(b"--b", b"X-A: 1", b"--b", b"", b"a", b"--b--")
    yield (
        "quoted boundary",
        message(b'multipart/mixed; boundary="b=_:?/c"', b"--b=_:?/c", b"", b"a", b"--b=_:?/c--"),
    )
    yield (
        "unquoted odd boundary",
        message(b"multipart/mixed; boundary=b=_c", b"--b=_c", b"", b"a", b"--b=_c--"),
    )
    yield (
        "boundary in RFC 2231 form",
        message(b"multipart/mixed; boundary*=us-ascii''b", b"--b", b"", b"a", b"--b--"),
    )
    yield (
        "boundary continued",
        message(b"multipart/mixed; boundary*0=b; boundary*1=c", b"--bc", b"", b"a", b"--bc--"),
    )
    yield "folded type", message(b"multipart/mixed;\r\n\tboundary=b", b"--b", b"", b"a", b"--b--")
    yield (
        "comment in type",
        message(b"multipart/mixed (why not); boundary=b (or not)", b"--b", b"", b"a", b"--b--"),
    )


def _trees() -> Iterator[tuple[str, bytes]]:
    """Messages in messages, digests, many and deep parts."""
    yield "nested multiparts 20 deep", nested(20)
    yield "messages 20 deep", forwarded(20)
    yield "a hundred parts", many(100)
    yield "empty message in a message", mixed(b"--b", b"Content-Type: message/rfc822", b"", b"--b--")
    yield (
        "message without header",
        mixed(b"--b", b"Content-Type: message/rfc822", b"", b"", b"text", b"--b--"),
    )
    yield "message cut in its header", message(b"message/rfc822", b"Subject: cut")
    yield (
        "message with encoding",
        message(b"message/rfc822\r\nContent-Transfer-Encoding: base64", b"U3ViamVjdDogYQ0KDQpiDQo="),
    )
    yield (
        "digest",
        message(b"multipart/digest; boundary=b", b"--b", b"", b"Subject: a", b"", b"text", b"--b--"),
    )
    yield (
        "digest with a typed part",
        message(b"multipart/digest; boundary=b", b"--b", b"Content-Type: text/plain", b"", b"text", b"--b--"),
    )
    yield "alternative and related", message(
        b"multipart/alternative; boundary=b",
        b"--b", b"Content-Type: text/plain; charset=utf-8", b"", b"t", b"--b",
        b'Content-Type: multipart/related; boundary=c; type="text/html"; start="<a@b>"', b"", b"--c",
        b"Content-Type: text/html", b"Content-ID: <a@b>", b"", b"<p>", b"--c",
        b"Content-Type: image/png; name=a.png", b"Content-Transfer-Encoding: base64",
        b"Content-Disposition: inline; filename=a.png", b"Content-Location: http://a.example/a.png", b"", b"AAAA",
        b"--c--", b"--b--",
    )  # fmt: skip


def _fields() -> Iterator[tuple[str, bytes]]:
    """What is wrong with MIME fields."""
    yield "no type", message(b"", b"text")
    yield "unreadable type", message(b";;;", b"text")
    yield "type without subtype", message(b"text", b"text")
    yield "type of odd case", message(b"TeXt/HTML; CharSet=UTF-8", b"<p>")
    yield "type twice", message(b"text/html\r\nContent-Type: text/plain", b"<p>")
    yield "parameter without value", message(b"text/plain; charset; format=flowed", b"a")
    yield "parameter with blanks", message(b'text/plain; charset = "utf-8" ; format = flowed', b"a")
    yield "parameter quoted pair", message(b'text/plain; name="a\\"b\\\\c"', b"a")
    yield "parameter without end quote", message(b'text/plain; name="abc', b"a")
    yield "semicolon at the end", message(b"text/plain; charset=utf-8;", b"a")
    yield "type with 8-bit name", message('application/pdf; name="été.pdf"'.encode(), b"a")
    yield "name in RFC 2231", message(b"application/pdf; name*=utf-8'fr'%C3%A9t%C3%A9.pdf", b"a")
    yield "name continued", message(b'application/pdf; name*0="a long "; name*1="name.pdf"', b"a")
    yield (
        "name continued and encoded",
        message(b"application/pdf; name*0*=utf-8''%C3%A9; name*1*=t%C3%A9; name*2=.pdf", b"a"),
    )
    yield "name in encoded words", message(b'application/pdf; name="=?utf-8?Q?=C3=A9t=C3=A9.pdf?="', b"a")
    yield (
        "disposition",
        message(
            b"text/plain\r\nContent-Disposition: attachment; filename=a.txt; size=3\r\nContent-Language: fr, en"
            b"\r\nContent-Location: a.txt\r\nContent-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\r\nContent-ID: <1@a.example>"
            b"\r\nContent-Description: un texte",
            b"a",
        ),
    )
    yield "disposition of a multipart", message(
        b"multipart/mixed; boundary=b\r\nContent-Disposition: inline\r\nContent-Language: fr\r\nContent-Location: x",
        b"--b", b"", b"a", b"--b--",
    )  # fmt: skip
    yield "odd encoding", message(b"text/plain\r\nContent-Transfer-Encoding: x-uuencode", b"a")
    yield (
        "encoding with comment",
        message(b"text/plain\r\nContent-Transfer-Encoding: Base64 (of course)", b"YQ=="),
    )
    yield "empty encoding", message(b"text/plain\r\nContent-Transfer-Encoding:", b"a")
    yield (
        "partial message",
        message(b'message/partial; id="x@y"; number=1; total=2', b"Subject: a", b"", b"b"),
    )
    yield "external body", message(
        b'message/external-body; access-type=URL; URL="http://a.example/x"',
        b"Content-Type: text/plain", b"Content-ID: <1@a>", b"", b"",
    )  # fmt: skip
    yield "delivery status", message(
        b"multipart/report; report-type=delivery-status; boundary=b",
        b"--b", b"", b"text", b"--b", b"Content-Type: message/delivery-status", b"", b"Reporting-MTA: dns; a",
        b"--b", b"Content-Type: text/rfc822-headers", b"", b"Subject: a", b"--b--",
    )  # fmt: skip


def _envelopes() -> Iterator[tuple[str, bytes]]:
    """What is wrong with the fields of ENVELOPE."""

    def head(*fields: bytes) -> bytes:
        return message(b"", b"text", head=b"".join(field + b"\r\n" for field in fields))

    yield "no header at all", b"\r\ntext\r\n"
    yield "header without body", HEAD
    yield "header and empty line", HEAD + b"\r\n"
    yield "missing From", head(b"To: a@b.example")
    yield (
        "group addresses",
        head(b"From: a@b.example", b"To: Equipe: A <a@b.example>, c@d.example;, e@f.example"),
    )
    yield "empty group", head(b"From: a@b.example", b"To: undisclosed-recipients:;")
    yield "comments for names", head(b"From: a@b.example (Dr. A)", b"To: (x) c@d.example (y)")
    yield (
        "quoted names",
        head(b'From: "Martin, Dr. \\"A\\"" <a@b.example>', b"To: Dr A. Martin <c@d.example>"),
    )
    yield "source route", head(b"From: <@x.example,@y.example:a@b.example>")
    yield "no domain", head(b"From: postmaster", b"To: <root>")
    yield "several From", head(b"From: a@b.example, c@d.example", b"Sender: a@b.example")
    yield (
        "fields twice",
        head(b"Subject: one", b"Subject: two", b"From: a@b.example", b"To: c@d.example", b"To: e@f.example"),
    )
    yield "empty fields", head(b"From:", b"To: ", b"Subject:", b"Date:", b"Message-ID:", b"In-Reply-To: ")
    yield "folded subject", head(b"From: a@b.example", b"Subject: one\r\n\ttwo\r\n   three")
    yield "quotes in subject", head(b"From: a@b.example", b'Subject: "a" \\ b')
    yield "8-bit subject", head(b"From: a@b.example", "Subject: été".encode())
    yield "latin subject", head(b"From: a@b.example", "Subject: été".encode("latin-1"))
    yield "8-bit name", head("From: Hélène <a@b.example>".encode())
    yield (
        "encoded words in the wrong places",
        head(
            b"From: =?utf-8?Q?a?=@b.example",
            b"To: <=?utf-8?Q?c@d.example?=>",
            b'Cc: "=?utf-8?Q?=C3=A9?=" <e@f.example>',
        ),
    )
    yield "blank before the colon", head(b"From : a@b.example", b"Subject : a")
    yield "line that is no field", head(b"From: a@b.example", b"this is no field", b"Subject: a")
    yield (
        "ids",
        head(
            b"From: a@b.example",
            b"Message-ID:\r\n <1@a.example>",
            b"In-Reply-To: <2@a> <3@a>",
            b"Date: yesterday",
        ),
    )
    yield "very long line", head(b"From: a@b.example", b"Subject: " + b"x" * 20_000)
    yield "very long body line", message(b"text/plain", b"x" * 100_000)


def _octets() -> Iterator[tuple[str, bytes]]:
    """Octets that RFC 5322 forbids."""
    yield "bare LF", mixed(b"--b", b"", b"a", b"--b--").replace(b"\r\n", b"\n")
    yield "bare CR inside", mixed(b"--b", b"", b"a\rb\rc", b"--b--")
    yield "mixed line ends", mixed(b"--b", b"", b"a\nb", b"--b--")
    yield "NUL in the text", mixed(b"--b", b"", b"a\0b", b"--b--")
    yield "NUL in the subject", message(b"", b"a", head=b"Subject: a\0b\r\n")
    yield "bare CR in the header", message(b"", b"a", head=b"Subject: a\rb\r\n")
    yield "no octets", b""
    yield "only line ends", b"\r\n" * 5


STRUCTURES = dict(_structures()) | dict(_parts()) | dict(_trees())
"""Boundaries and parts."""
FIELDS = dict(_fields())
"""MIME fields."""
ENVELOPES = dict(_envelopes())
"""Fields of ENVELOPE."""
OCTETS = dict(_octets())
"""Forbidden octets and line ends."""
LETTERS = STRUCTURES | FIELDS | ENVELOPES | OCTETS
"""All of them by name."""
