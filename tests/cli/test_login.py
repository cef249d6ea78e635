"""`mss-gateway login`: who must wait, and letting them try again (ACC-3)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mss_gateway.dev.wire import tls
from tests.support.commands import Site
from tests.support.process import GatewayProcess
from tests.support.wires import Smtp

pytestmark = pytest.mark.req("ACC-3")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GatewayProcess, Site]]:
    """A gateway whose first wait is long, in a process of its own, and the commands beside it."""
    folder = tmp_path_factory.mktemp("login")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MSS_GATEWAY_LOGIN_ACCOUNT_FIRST_WAIT", "300")
        served = GatewayProcess(folder)
        try:
            yield served, Site(folder, beside=served)
        finally:
            served.stop()


def tried(served: GatewayProcess, login: str, password: str) -> str:
    """The reply to one AUTH."""
    wire = Smtp(served.handout.ports.submissions, tls(served.handout))
    wire.hello()
    reply = wire.auth_plain(login, password)
    wire.close()
    return reply


def test_locks_are_shown_survive_a_restart_and_are_lifted(site: tuple[GatewayProcess, Site]) -> None:
    """Beside a running gateway, without one, and again beside it."""
    served, command = site
    account = served.handout.account("PER")
    for _ in range(5):
        assert tried(served, account.login, "wrong-password").startswith("535 5.7.8")
    assert tried(served, account.login, account.password).startswith("454 4.7.0 Too many failed logins")
    assert tried(served, "tapé-au-mauvais-endroit", "x").startswith("535")
    shown = command.json("login", "locks")
    mine = [row for row in shown["locks"] if row["login"] == account.login]
    assert {row["kind"] for row in mine} == {"account", "everywhere"}
    assert max(row["wait_seconds"] for row in mine) > 0
    assert "mauvais-endroit" not in str(shown)
    status, said = command.run("login", "locks")
    assert status == 0
    assert "everywhere" in said.replace("\n", "")
    served.stop()
    offline = command.json("login", "locks")
    assert {row["login"] for row in offline["locks"]} == {row["login"] for row in shown["locks"]}
    served.start()
    assert tried(served, account.login, account.password).startswith("454")
    assert command.json("login", "unlock", account.login)["forgotten"] == 2
    assert tried(served, account.login, account.password).startswith("235")
    status, said = command.run("login", "unlock", "127.0.0.1")
    assert status == 0, said
    assert "forgotten" in said
    assert {row["kind"] for row in command.json("login", "locks")["locks"]} == {"everywhere"}


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        (("unlock", "192.0.2.99"), 3, "not-locked"),
        (("unlock", "nobody@nowhere"), 3, "not-locked"),
        (("unlock", " "), 2, "bad-argument"),
        (("locks", "--limit", "0"), 2, "bad-argument"),
    ],
)
def test_what_cannot_be_done_is_said(
    tmp_path: Path, words: tuple[str, ...], status: int, reason: str
) -> None:
    """A sentence and an exit code, without a gateway too."""
    command = Site(tmp_path, empty=True)
    assert command.json("login", *words, status=status)["reason"] == reason
