"""Running the gateway in this process, and saying in one sentence why it cannot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from .output import fail, why

if TYPE_CHECKING:
    from mss_gateway.app.gateway import Running
    from mss_gateway.settings import Settings

UNAVAILABLE = 6


def serve_settings(settings: Settings, ready: Callable[[Running], None] | None = None) -> None:
    """Run until stopped; a port in use, a locked store or a bad certificate end with one sentence."""
    from mss_gateway.app.gateway import run
    from mss_gateway.app.loop import loop_factory, settle_process
    from mss_gateway.observe.redact import where
    from mss_gateway.ports.store import StoreError
    from mss_gateway.trust.refusals import TrustProblem

    settle_process()
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(run(settings, ready))
    except (StoreError, TrustProblem, OSError) as error:
        fail(why(error), UNAVAILABLE)
    except ExceptionGroup as group:
        first = first_of(group)
        if not isinstance(first, OSError | StoreError | TrustProblem):
            # A traceback would print the exception's text, which may hold anything (AUD-5).
            fail(f"A fault of the gateway: {type(first).__name__} at {where(first)}", UNAVAILABLE)
        fail(why(first), UNAVAILABLE)
    except Exception as error:
        fail(f"A fault of the gateway: {type(error).__name__} at {where(error)}", UNAVAILABLE)


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The innermost first exception of a group."""
    inner: BaseException = group
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    return inner
