"""PURE. Mail as values and as RFC 5322 bytes: addresses, envelopes, headers, structure, reports."""
