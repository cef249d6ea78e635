"""The trust space: certificates, revocation, the signed trusted list (TRU). Others use `guard.Trust`."""
