"""From the sections [tls] and [trust] to the options of the trust space (TRU-1..3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from mss_gateway.trust.options import TrustOptions

from .checks import is_address
from .explain import ConfigError
from .schema import File

HOUR = 3600.0


def trust_options(path: Path, file: File, at: Callable[[str], Path], state: Path) -> TrustOptions:
    """Whom we trust and where that is read and fetched; raises `ConfigError`."""
    trust, tls = file.trust, file.tls
    _check_sources(path, file)
    return TrustOptions(
        ca_files=tuple(at(name) for name in trust.ca),
        crl_files=tuple(at(name) for name in trust.crl),
        certificate=at(tls.certificate),
        key=at(tls.key),
        list_file=at(trust.list) if trust.list else None,
        list_signer=trust.list_signer,
        list_signer_ca_files=tuple(at(name) for name in trust.list_signer_ca),
        client_certificate=at(tls.client_certificate) if tls.client_certificate else None,
        client_key=at(tls.client_key) if tls.client_key else None,
        state=state / "trust",
        crl_grace_hours=trust.crl_grace_hours,
        test_authorities=trust.test_authorities or file.gateway.realm != "production",
        st_is_l=trust.locality_equals_state,
        list_alarm_hours=trust.list_alarm_hours,
        list_max_removed=trust.list_max_removed,
        list_url=trust.list_url,
        list_every=trust.list_every_hours * HOUR,
        crl_urls=tuple(trust.crl_urls),
        crl_every=trust.crl_every_hours * HOUR,
        fetch_ca_files=tuple(at(name) for name in trust.fetch_ca),
        fetch_timeout=trust.fetch_timeout,
        ocsp=trust.ocsp,
        ocsp_url=trust.ocsp_url,
        ocsp_timeout=trust.ocsp_timeout,
    )


def _check_sources(path: Path, file: File) -> None:
    trust = file.trust
    if not trust.list and not trust.list_url:
        raise ConfigError(
            f"{path}: trust.list and trust.list_url are both empty: name the file of the trusted list, its address,"
            " or both"
        )
    if not trust.crl and not trust.crl_urls:
        raise ConfigError(
            f"{path}: trust.crl and trust.crl_urls are both empty: name the files of the revocation lists, their"
            " addresses, or both"
        )
    for key, text, schemes in _addresses(file):
        if not is_address(text, *schemes):
            kinds = " or ".join(f"{scheme}://" for scheme in schemes)
            raise ConfigError(
                f"{path}: trust.{key} = {text!r}: write an address such as {kinds}host/path, without a login in it"
            )


def _addresses(file: File) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """The list comes over HTTPS; CRLs and OCSP answers are signed, and their authorities publish them over HTTP."""
    trust = file.trust
    if trust.list_url:
        yield "list_url", trust.list_url, ("https",)
    yield from (("crl_urls", url, ("http", "https")) for url in trust.crl_urls)
    if trust.ocsp_url:
        yield "ocsp_url", trust.ocsp_url, ("http",)
