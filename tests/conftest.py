"""How property tests run, whatever the folder: no test fails because the machine is busy.

Hypothesis gives an example 200 ms and a generator about a second unless told otherwise: on a busy machine
these are dice. In continuous integration (`CI` is set) the examples are the same in every run, so that a
commit is judged by its own code; everywhere else they are drawn anew each time, which is how new faults are
found, and a failing example is kept in `.hypothesis` and printed with the line that repeats it. A test that
names its own suppressed health checks replaces the profile's: it names `too_slow` among them.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

SAME = settings(
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
"""Of continuous integration: the same examples in every run of the same code."""

ANEW = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
"""Of everybody's own machine: other examples in every run."""

settings.register_profile("same", SAME)
settings.register_profile("anew", ANEW)
settings.load_profile("same" if os.environ.get("CI") else "anew")
