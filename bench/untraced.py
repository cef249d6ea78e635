"""The gateway without trace and figures, to measure what they cost: `python -m bench.untraced serve …`."""

from __future__ import annotations

from collections.abc import Iterable

from mss_gateway.observe.buckets import Buckets
from mss_gateway.observe.figures import Figures
from mss_gateway.storage.sqlite import deliveries


def main() -> None:
    """Start the command line with both switched off."""

    def no_lines(db: object, lines: Iterable[object]) -> None:
        for _ in lines:  # made all the same: the line's own work is not what is measured
            pass

    def nothing(self: object, *values: object) -> None:
        return None

    deliveries.insert_trace = no_lines
    Figures.event = nothing  # type: ignore[method-assign]
    Buckets.observe = nothing  # type: ignore[method-assign]
    from mss_gateway.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
