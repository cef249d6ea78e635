"""PURE. What every room may know: errors, ids, secrets, limits."""
