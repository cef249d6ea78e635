"""One gateway for the tests of a file, and a way to start others with settings of their own."""

from tests.support.gateways import door, special

__all__ = ["door", "special"]
