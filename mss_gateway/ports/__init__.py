"""Protocols and records that the straight line needs; no bodies, no concrete part named."""
