"""What professionals and patients read when their mailbox fills up (BAL-9)."""

from __future__ import annotations

WARNING_SUBJECT = "Votre boîte aux lettres est remplie à {percent} %"
"""Subject of the warning."""

WARNING = (
    "Bonjour,\n\n"
    "{whose} a atteint {percent} % de la place dont elle dispose :\n\n"
    "{lines}\n"
    "Lorsqu'elle sera pleine, les nouveaux messages ne pourront plus y être déposés : les expéditeurs seront priés "
    "de les renvoyer plus tard.\n\n"
    "Pour libérer de la place, supprimez les messages devenus inutiles, puis videz la corbeille.{advice}\n\n"
    "Ce message est envoyé une seule fois par palier.\n"
)
"""Body of the warning; no message of the mailbox is named in it."""

ADVICE = "\nSi la place accordée ne suffit pas, adressez-vous à l'administrateur de votre messagerie MSSanté."
"""Added for professionals: a patient has no administrator to ask."""

OCTETS_LINE = "  - volume : {used} sur {limit}\n"
"""One of `lines`."""

MESSAGES_LINE = "  - messages : {used} sur {limit}\n"
"""One of `lines`."""

_UNITS = ("octets", "Kio", "Mio", "Gio", "Tio")


def shown_octets(octets: int) -> str:
    """`1536` is `1,5 Kio`; the decimal comma is French."""
    value, unit = float(octets), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    text = f"{value:.1f}".removesuffix(".0").replace(".", ",")
    return f"{text} {_UNITS[unit]}"


def warning_text(address: str, percent: int, room: tuple[int, int, int, int], *, patient: bool) -> str:
    """The body; `room` is octets, their limit, messages, their limit, a limit of 0 being none."""
    octets, octets_limit, messages, messages_limit = room
    lines = ""
    if octets_limit:
        lines += OCTETS_LINE.format(used=shown_octets(octets), limit=shown_octets(octets_limit))
    if messages_limit:
        lines += MESSAGES_LINE.format(used=messages, limit=messages_limit)
    # A patient's address is their INS: it stands in no text.
    whose = "Votre boîte aux lettres" if patient else f"La boîte aux lettres {address}"
    advice = "" if patient else ADVICE
    return WARNING.format(whose=whose, percent=percent, lines=lines, advice=advice)
