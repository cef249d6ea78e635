"""The CRLs that were fetched, one file for each address: verified before they replace anything (TRU-2)."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from .anchors import Anchors, read_file
from .files import keep
from .refusals import TrustProblem
from .revocation import RevocationList, RevocationLists, read_crls

CLOCK_SKEW = timedelta(minutes=10)
FOLDER = "crls"


class FetchedCrls:
    """What each address gave last, in the state folder or, without one, in memory."""

    def __init__(self, folder: Path | None, urls: tuple[str, ...]) -> None:
        self._folder = folder / FOLDER if folder is not None else None
        self._urls = urls
        self._data: dict[str, bytes] = {}
        self._read: tuple[Anchors, dict[str, list[RevocationList]]] | None = None

    def missing(self, anchors: Anchors) -> list[str]:
        """Addresses of which no usable CRL is kept."""
        return [url for url in self._urls if not self._of(anchors).get(url)]

    def usable(self, anchors: Anchors) -> list[RevocationList]:
        """Every kept CRL that one of these authorities signed; a spoiled or foreign copy does not count."""
        return [one for url in self._urls for one in self._of(anchors).get(url, [])]

    def of(self, url: str, anchors: Anchors) -> list[RevocationList]:
        """What one address gave last."""
        return self._of(anchors).get(url, [])

    def take(self, url: str, data: bytes, anchors: Anchors, force: RevocationLists, now: datetime) -> bool:
        """Keep what an address gave, True when it is news; raises `TrustProblem` naming the address otherwise.

        Genuine, not from the future, and not older than the CRL in force of the same authority.
        """
        found = read_crls(url, data, anchors)
        news = False
        for one in found:
            before = force.by_issuer.get(one.issuer)
            name = one.issuer.rfc4514_string()
            if one.this_update > now + CLOCK_SKEW:
                raise TrustProblem(
                    "crl-future", f"{url}: the CRL of {name} was made in the future: check the clock"
                )
            if before is not None and one.this_update < before.this_update:
                raise TrustProblem(
                    "crl-older",
                    f"{url}: the CRL of {name} ({one.this_update:%Y-%m-%d %H:%M}) is older than the one in force"
                    f" ({before.this_update:%Y-%m-%d %H:%M}): check the address",
                )
            news = news or before is None or one.pem != before.pem
        self._read = None
        if self._folder is None:
            self._data[url] = data
        elif news or not self._path(url).is_file():
            self._data[url] = data  # a CRL that cannot be kept counts until the gateway stops
            keep(self._path(url), data)
            del self._data[url]
        return news

    def _of(self, anchors: Anchors) -> dict[str, list[RevocationList]]:
        if self._read is None or self._read[0].pem != anchors.pem:
            self._read = anchors, {url: self._load(url, anchors) for url in self._urls}
        return self._read[1]

    def _load(self, url: str, anchors: Anchors) -> list[RevocationList]:
        try:
            data = (
                self._data.get(url)
                if self._folder is None or url in self._data
                else read_file(self._path(url))
            )
            return read_crls(url, data, anchors) if data else []
        except TrustProblem:
            return []

    def _path(self, url: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{sha256(url.encode('utf-8')).hexdigest()[:32]}.crl"
