"""Composes every room's options; the only reader of the configuration file and the environment."""

from .explain import ConfigError
from .load import Settings, load

__all__ = ["ConfigError", "Settings", "load"]
