"""The whole tour, in the order of a story: operators write, a patient answers, strangers are refused."""

from __future__ import annotations

from .steps_directory import DIRECTORY
from .steps_documents import DOCUMENTS
from .steps_login import LOGIN
from .steps_neighbour import NEIGHBOUR, foreign_delivery
from .steps_operations import OPERATIONS
from .steps_patients import EXCHANGE
from .steps_queue import QUEUE
from .steps_reading import READING
from .steps_refusals import REFUSALS
from .steps_trust import EXPLAINED, PUBLISHED
from .tour import Step

STEPS: tuple[Step, ...] = (
    Step("A foreign operator delivers to a mailbox over mutual TLS", foreign_delivery),
    *EXCHANGE,
    *READING,
    *LOGIN,
    *DOCUMENTS,
    *DIRECTORY,
    *NEIGHBOUR,
    *QUEUE,
    *PUBLISHED,
    *REFUSALS,
    *EXPLAINED,
    *OPERATIONS,
)
"""Every step; those that need the other operators are left out where there are none."""
