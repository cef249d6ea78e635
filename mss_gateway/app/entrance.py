"""Who may come in, and how: the parts of the `identity` room behind one `Login` for every door (ACC-2, ACC-3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mss_gateway.identity.accounts import Accounts
from mss_gateway.observe.log import Log
from mss_gateway.pipeline.login import Login
from mss_gateway.pipeline.notes import Notes
from mss_gateway.pipeline.sasl_mechanisms import SCRAM, TOKENS
from mss_gateway.settings import Settings

from .ground import Ground

if TYPE_CHECKING:
    from mss_gateway.identity.oidc import OidcBook


def token_book(settings: Settings, log: Log) -> OidcBook | None:
    """Who checks tokens, None when they are switched off; its libraries are loaded only where it is needed."""
    if settings.oidc is None:
        return None
    from mss_gateway.identity.oidc import OidcBook

    return OidcBook(settings.oidc, log=log)


def entrance(ground: Ground, notes: Notes, tokens: OidcBook | None = None) -> Login:
    """The login of all doors: one account book, one count of failures."""
    book = ground.logins
    accounts = Accounts(ground.store, book.passwords, book.file.locks, book.vault, tokens=tokens)
    without = (frozenset() if book.vault.options.offered else SCRAM) | (
        TOKENS if tokens is None else frozenset()
    )
    login = Login(
        ground.trust,
        accounts,
        notes,
        ground.log,
        ground.refused,
        without,
        ground.store,
        plus_tls13=book.vault.options.plus_tls13,
    )
    ground.store.on_directory_change(accounts.directory_changed)
    ground.store.on_directory_change(login.directory_changed)
    return login
