"""Builds the gateway from its settings and runs it; the only room that names concrete parts."""
