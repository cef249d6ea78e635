"""What is promised of the pure readers, as functions over octets (IMP-1, SEC of hostile input)."""

from __future__ import annotations

import random
import zlib
from collections.abc import Hashable
from itertools import pairwise

from mss_gateway.mail.imaptext import body_text
from mss_gateway.mail.message import split_message
from mss_gateway.mail.parttable import MULTIPART, PartTable, load_parts
from mss_gateway.mail.plaintext import fold_body
from mss_gateway.mail.prepare import prepare
from mss_gateway.mail.preview import preview_of
from mss_gateway.mail.transfer import decode_transfer
from mss_gateway.protocol.imap import ImapOptions, ImapServer, State
from mss_gateway.protocol.imap.collation import casemap
from mss_gateway.protocol.imap.commands_sort import Criterion, SortKey
from mss_gateway.protocol.imap.comparators import Comparator, compared
from mss_gateway.protocol.imap.cursor import Cursor, Malformed
from mss_gateway.protocol.imap.grammar import check_state, parse, split_head
from mss_gateway.protocol.imap.grammar_search import search_program
from mss_gateway.protocol.imap.headeronly import HeaderOnly
from mss_gateway.protocol.imap.matching import compile_search
from mss_gateway.protocol.imap.searchkeys import Not, Older, Younger, walk
from mss_gateway.protocol.imap.settling import narrowed, settle, sieve
from mss_gateway.protocol.imap.sorting import SortRow, key_maker
from mss_gateway.protocol.imap.threads import Letter, by_references, by_subject, identify, thread_line
from mss_gateway.protocol.imap.tracker import SequenceView
from tests.support.imap import Log, drive, logged_in
from tests.support.imapvalues import read_value
from tests.support.parts import locate

from . import dictionary as words
from .engine import Target

_LIMITS = ImapOptions(max_append=200, literal=100, line=2000, command=400, bad_commands=5)
_HELD = 2000 + 400 + 64  # octets: a line, the literals of a command, and one read
_NOW = 1_800_000_000.0


def _driven(data: bytes, size: int | None, *, authenticated: bool) -> Log:
    core = logged_in(_LIMITS) if authenticated else ImapServer(_LIMITS, tls=True)
    if size is None:
        chance, reads, at = random.Random(zlib.crc32(data)), [], 0
        while at < len(data):
            step = chance.randint(1, 40)
            reads.append(data[at : at + step])
            at += step
        return drive(core, reads)
    return drive(core, [data[at : at + size] for at in range(0, len(data), size)])


def framing(data: bytes) -> Hashable:
    """Any cutting gives the same events and answers, what is held is bounded, only ProtocolViolation escapes."""
    shape: list[Hashable] = []
    for authenticated in (True, False):
        whole = _driven(data, max(1, len(data)), authenticated=authenticated)
        pieces = _driven(data, None, authenticated=authenticated)
        assert whole == pieces, "cut otherwise, read otherwise"
        assert pieces.most_held <= max(_HELD, _LIMITS.line_before_login + _LIMITS.command_before_login + 64)
        shape += [
            whole.violation,
            *sorted({type(one).__name__ for one in whole.commands}),
            len(whole.out) // 64,
        ]
    return tuple(shape)


def grammar(data: bytes) -> Hashable:
    """One command with its literals: it is parsed, or `Malformed` with a text that may be sent."""
    pieces = data.split(b"\n")
    fragments, literals = pieces[0::2], pieces[1::2]
    if len(literals) == len(fragments):
        fragments.append(b"")
    tag, verb = split_head(fragments[0])
    shapes: list[Hashable] = []
    for utf8 in (False, True):
        cursor = Cursor(fragments, literals, utf8=utf8)
        cursor.pos = len(tag) + 1 + len(verb)
        try:
            if not tag or not verb or verb in ("APPEND", "REPLACE"):
                raise Malformed("no command line")
            check_state(verb, State.SELECTED)
            command = parse(verb, cursor)
        except Malformed as error:
            shapes.append(_showable(error.text))
        else:
            assert repr(command)
            assert command == parse(verb, _again(fragments, literals, len(tag) + 1 + len(verb), utf8=utf8))
            shapes += [verb, type(command).__name__]
    return tuple(shapes)


def _showable(text: str) -> str:
    assert text.isascii(), "a refusal is shown to the client"
    assert text.isprintable(), "a refusal is one line"
    return text


def _again(fragments: list[bytes], literals: list[bytes], pos: int, *, utf8: bool) -> Cursor:
    cursor = Cursor(fragments, literals, utf8=utf8)
    cursor.pos = pos
    return cursor


def search(data: bytes) -> Hashable:
    """What is parsed can be settled, narrowed, compiled and held against a header; NOT turns the answer round."""
    program, _, header = data.partition(b"\n")
    try:
        cursor = Cursor([program])
        key = search_program(cursor)
        cursor.end()
    except Malformed as error:
        return error.text
    view = SequenceView([1, 3, 9])
    view.save([3])
    message = HeaderOnly(header)
    message_view = {"last_number": 3, "last_uid": 9, "saved": frozenset({3})}
    found = []
    settled = settle(key, view, _NOW)
    narrowed(settled)
    timed = any(isinstance(node, Younger | Older) for node in walk(key))
    for form in (settled,) if timed else (settled, key):
        direct = compile_search(form, **message_view)(message)  # type: ignore[arg-type]
        turned = compile_search(Not(form), **message_view)(message)  # type: ignore[arg-type]
        assert direct is not turned, "NOT turns the answer round"
        found.append(direct)
    assert len(set(found)) == 1, "settling changes no answer"
    sifted = compile_search(sieve(settled), **message_view)(message)  # type: ignore[arg-type]
    assert sifted or not found[0], "a sieve keeps what is found"
    mapped = compared(settled, Comparator.CASEMAP)
    direct = compile_search(mapped, **message_view)(message)  # type: ignore[arg-type]
    turned = compile_search(Not(mapped), **message_view)(message)  # type: ignore[arg-type]
    assert direct is not turned, "NOT turns the answer round"
    return (found[0], *sorted({type(node).__name__ for node in walk(key)}))


def mime(data: bytes) -> Hashable:
    """Sections lie within the message and apart, halves sum up to it, texts for IMAP can be read by a client."""
    at = split_message(data)
    header, text = data[:at], data[at:]
    prepared = prepare(header, text)
    table = load_parts(prepared.structure)
    assert (table.header_size, table.text_size) == (len(header), len(text))
    _check_spans(table, len(text))
    for name, expected in (("", data), ("HEADER", header), ("TEXT", text)):
        spans = locate(table, name)
        assert spans is not None
        assert b"".join((header if one.in_header else text)[one.start : one.end] for one in spans) == expected
    envelope = read_value(prepared.envelope)
    assert len(envelope) == 10
    read_value(prepared.bodystructure)
    read_value(body_text(prepared.bodystructure))
    assert len(prepared.bodystructure) <= 60 * len(data) + 2000, "linear in the message"
    for row in table.rows[:20]:
        decoded = decode_transfer(text[row.body : row.end], row.encoding)
        assert decoded is None or len(decoded) <= row.end - row.body
    preview_of(header, table, text)
    fold_body(header, prepared.structure, text)
    return (tuple((row.kind, row.encoding, row.depth) for row in table.rows[:8]), len(table.rows) // 4)


def _check_spans(table: PartTable, size: int) -> None:
    """Each part within the one it is in, and behind the one before it."""
    open_parts = [(0, size)]
    for row in table.rows:
        assert 0 <= row.start <= row.body <= row.end <= size
        del open_parts[row.depth + 1 :]
        low, high = open_parts[row.depth] if row.depth < len(open_parts) else open_parts[-1]
        assert low <= row.start, "parts overlap"
        assert row.end <= high, "a part leaves the one that it is in"
        open_parts[row.depth :] = [(row.end, high), (row.body, row.end)]
    tops = [row for row in table.rows if row.depth == 1]
    if table.rows[0].kind == MULTIPART:
        assert all(left.end <= right.start for left, right in pairwise(tops))


def order(data: bytes) -> Hashable:
    """Letters, one after an empty line each: SORT and THREAD show each once, whatever refers to what."""
    headers = [piece + b"\r\n\r\n" for piece in data.split(b"\r\n\r\n")[:40]]
    rows, letters = [], []
    for uid, header in enumerate(headers, 1):
        prepared = prepare(header, b"")
        rows.append(
            SortRow(uid, float(uid), prepared.sent_at, len(header), prepared.subject_base, prepared.envelope)
        )
        letters.append(Letter(uid, float(uid % 3), casemap(prepared.subject_base), *identify(header)))
    for key in SortKey:
        for reverse in (False, True):
            ordered = sorted(map(key_maker([Criterion(key, reverse)]), rows))
            assert sorted(one[-1] for one in ordered) == list(range(1, len(rows) + 1))  # type: ignore[type-var]
    shape = []
    for tree in (by_references(letters), by_subject(letters)):
        line = thread_line(tree, letters)
        assert line.count(b"(") == line.count(b")")
        numbers = line.translate(None, b"\r\n").replace(b"(", b" ").replace(b")", b" ").split()[2:]
        assert sorted(map(int, numbers)) == list(range(1, len(rows) + 1))
        shape.append(bytes([octet for octet in line if octet in b"()"])[:24])
    return tuple(shape)


_ALL_IMAP = words.COMMANDS + words.ARGUMENTS + words.NUMBERS
TARGETS = (
    Target("framing", framing, words.STREAMS, words.FRAMING * 3 + _ALL_IMAP),
    Target("grammar", grammar, words.LINES, (b"\n", *_ALL_IMAP, *words.SEARCH)),
    Target("search", search, words.SEARCHES, words.SEARCH * 2 + words.NUMBERS + words.MIME),
    Target("mime", mime, words.MAIL, words.MIME),
    Target(
        "order",
        order,
        (b"".join(words.MAIL[:5]), b"\r\n\r\n".join([words.MIME[16] + b"a@b>"] * 3)),
        words.MIME,
    ),
)
"""All of them; `scripts/fuzz` runs each for a minute."""
