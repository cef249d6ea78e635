"""Listeners, TLS upgrades, bounded streams, caps: the sockets under both doors."""
