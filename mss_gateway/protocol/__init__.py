"""Room of rooms; see mss_gateway/README.md."""
