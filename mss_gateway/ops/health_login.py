"""Whether tokens can be checked: the provider answers, its keys are usable and fresh (OPS-2, ACC-2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from mss_gateway.ports.provider import ProviderStatus

from .doctor import Check, Verdict

NAME = "token provider"
"""What is examined."""

_HINTS = {
    "provider-timeout": "check the firewall towards the provider, then its state page",
    "provider-unreachable": "check the firewall towards the provider, the DNS, then its state page",
    "provider-tls": "put the authority of the provider's certificate into oidc.ca",
    "provider-redirected": "write the provider's final address into oidc.document or oidc.jwks_url",
    "provider-too-large": "check the addresses in [oidc]: what answers there is no OpenID provider",
    "provider-nonsense": "check oidc.issuer, oidc.document and oidc.jwks_url against the provider's documentation",
    "provider-files": "check oidc.ca, oidc.client_certificate, oidc.client_key and oidc.client_secret_file",
}


class TokenHealth:
    """Asks the provider and tells how it went. `examined` does that, seldom enough for a page that is watched."""

    def __init__(self, examined: Callable[[], Awaitable[ProviderStatus]]) -> None:
        self._examined = examined

    async def examine(self) -> Sequence[Check]:
        """Reachability first, then the keys that were left out."""
        status = await self._examined()
        checks = [_reachable(status)]
        if status.left_out:
            checks.append(
                Check(
                    "token keys",
                    Verdict.DOUBT,
                    f"{status.left_out} of the provider's keys are not used: weak, or of an unknown kind",
                    "tell the provider; tokens under these keys are refused as token-key-unknown",
                )
            )
        return checks


def _reachable(status: ProviderStatus) -> Check:
    known = _known(status)
    if not status.failure:
        return Check(NAME, Verdict.GOOD, f"{status.issuer} answers, {known}")
    # Warm, logins go on with the keys in hand; with introspection, or cold, nobody enters by token.
    warm = status.mode == "jwks" and status.age is not None and status.age <= status.max_age
    left = (
        f"; logins go on with {known}" if warm else "; no token can be checked: clients are told to try later"
    )
    return Check(
        NAME,
        Verdict.DOUBT if warm else Verdict.BAD,
        f"{status.failure}: {status.sentence}{left}",
        _HINTS.get(status.failure, "look into the provider's documentation"),
    )


def _known(status: ProviderStatus) -> str:
    if status.age is None:
        return "nothing fetched yet"
    what = f"{status.keys} keys" if status.mode == "jwks" else "its addresses"
    return f"{what}, fetched {status.age / 60:.0f} min ago (usable for {status.max_age / 3600:g} h)"
