"""What property tests share."""

from __future__ import annotations

from hypothesis import HealthCheck

FOR_EACH_EXAMPLE = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)
"""Checks that a property leaves out whose examples may share a fixture; how busy the machine is never counts."""
