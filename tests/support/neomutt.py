"""What neomutt is told of a gateway before a test says what it does there."""

from __future__ import annotations

from pathlib import Path

from mss_gateway.dev.handout import Account, Handout

from .foreign import require_program

COMMON = """\
set certificate_file = "{ca}"
set ssl_force_tls = yes
set imap_user = "{login}"
set imap_pass = "{password}"
set header_cache = ""
set tmpdir = "{folder}"
set confirm_append = no
set quit = yes
set mark_old = no
"""


def neomutt_command(handout: Handout, account: Account, folder: Path, more: str) -> list[str]:
    """The program with a configuration of its own in `folder`: the account, and more lines."""
    path = folder / "neomuttrc"
    common = COMMON.format(ca=handout.ca, login=account.login, password=account.password, folder=folder)
    path.write_text(common + more, encoding="utf-8")
    return [require_program("neomutt"), "-n", "-F", str(path)]
