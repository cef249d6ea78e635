"""PURE. Wires: bytes to events and back."""
