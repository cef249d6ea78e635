"""Who may come in, and how: the parts of the `identity` room behind one `Login` for every door (ACC-2, ACC-3)."""

from __future__ import annotations

from mss_gateway.identity.accounts import Accounts
from mss_gateway.pipeline.login import Login
from mss_gateway.pipeline.notes import Notes

from .ground import Ground


def entrance(ground: Ground, notes: Notes) -> Login:
    """The login of all doors: one account book, one slowdown."""
    accounts = Accounts(ground.store, ground.passwords)
    login = Login(ground.trust, accounts, notes, ground.log, ground.refused)
    ground.store.on_directory_change(login.directory_changed)
    return login
