"""What is watched all the time: the pulse of the process, and whether mail can be taken now (OPS-4)."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field

from mss_gateway.observe.pulse import Pulse
from mss_gateway.ops.figures_process import process_gauges
from mss_gateway.ops.health_ports import OpenDoor
from mss_gateway.ops.http_ready import Readiness
from mss_gateway.trust.desk import TrustDesk

from .ground import Ground
from .line import Line


@dataclass(frozen=True, slots=True)
class Watch:
    """Pulse and readiness of one gateway, and the desk that tells of its trust space."""

    pulse: Pulse
    readiness: Readiness
    line: Line
    desk: TrustDesk
    doors: list[OpenDoor] = field(default_factory=list)  # those that are open now

    def silent(self) -> Mapping[str, tuple[str, float]]:
        """Domains that are left alone: why, and until when (epoch seconds)."""
        return {domain: (one.why.reason, one.until) for domain, one in self.line.outbound.silences.items()}


def watch(ground: Ground, line: Line) -> Watch:
    """Watch this ground and line; the store tells its commits to the figures from now on."""
    store, figures, folder = ground.store, ground.log.figures, ground.settings.store.path
    pulse = Pulse(figures)
    figures.add_measure(process_gauges(pulse.started_at, folder))

    def committed(jobs: int, seconds: float) -> None:
        figures.batch_jobs.observe(jobs)
        figures.commit_seconds.observe(seconds)

    store.on_batch(committed)
    desk = TrustDesk(ground.trust, ground.refused, ground.settings.mta.hostname)
    readiness = Readiness(
        store.probe,
        lambda: shutil.disk_usage(folder).free,
        store,
        lambda: tuple(line.outbound.silences),
        desk.status,
    )
    return Watch(pulse, readiness, line, desk)
