"""Names and paths of the throw-away OpenID provider, shaped like those of Pro Santé Connect (domain 9.1)."""

SUBJECT = "899700366240"
"""The person of Pro Santé Connect's published sample, who holds the sample mailbox of type PER."""

CLIENT = "logiciel-exemple"
"""The software that tokens are given to."""

LIFE = 120.0
"""Seconds that a token lasts; those of the real provider are as short."""

REALM = "/auth/realms/esante-wallet"
"""The issuer's path on its host."""

DOCUMENT = "/.well-known/wallet-openid-configuration"
"""Where the provider describes itself, below its issuer; not the standard name."""

ENDPOINTS = "/protocol/openid-connect"
"""Below its issuer: `certs`, `token`, `token/introspect`, `userinfo`."""
