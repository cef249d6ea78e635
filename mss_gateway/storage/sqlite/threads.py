"""To which conversation a message belongs in its box, found once when it comes in (RFC 8474 section 5.2)."""

from __future__ import annotations

from mss_gateway.ports.records import NewBody

from .engine import Writer


def lone_thread(digest: bytes) -> int:
    """The conversation of a message that names no other and has no name itself."""
    return int.from_bytes(digest[:8], "big", signed=True)


def join_thread(writer: Writer, box_id: int, body: NewBody) -> int:
    """The conversation of a new message: that of the nearest message it answers that is known, else that of its root.

    Only answers are written down, so a message that answers nothing costs no query.
    """
    references = body.references
    if not references:
        return lone_thread(body.digest)
    if len(references) == 1:
        return references[0]
    marks = "?, " * (len(references) - 1) + "?"
    known = dict(
        writer.db.execute(
            f"SELECT reference, thread FROM threads WHERE box_id = ? AND reference IN ({marks})",
            (box_id, *references),
        )
    )
    thread = next((int(known[one]) for one in references if one in known), references[-1])
    if references[0] not in known:
        writer.db.execute("INSERT INTO threads VALUES (?, ?, ?)", (box_id, references[0], thread))
    return thread
