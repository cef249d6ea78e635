"""[login]: how clients log in, and what slows a guesser down."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .section import Count, Seconds, Section


class LoginSection(Section):
    """[login]: how clients log in, and what slows a guesser down."""

    scram: bool = True
    scram_iterations: Annotated[int, Field(ge=15_000, le=1_000_000)] = 65_536
    scram_plus_tls13: bool = False
    argon2_time: Annotated[int, Field(ge=1, le=20)] = 2
    argon2_memory_kib: Annotated[int, Field(ge=7168, le=1_048_576)] = 19 * 1024
    hash_workers: Annotated[int, Field(ge=1, le=16)] = 1
    hash_waiting: Annotated[int, Field(ge=1, le=10_000)] = 64
    hash_share: Annotated[float, Field(ge=0.01, le=16)] = 0.25
    remember_password: Annotated[float, Field(ge=0, le=3600)] = 60.0
    account_free: Count = 5
    account_first_wait: Seconds = 1.0
    account_longest_wait: Seconds = 300.0
    account_forget: Seconds = 900.0
    everywhere_free: Count = 50
    address_free: Count = 100
    address_first_wait: Seconds = 1.0
    address_longest_wait: Seconds = 300.0
    address_forget: Seconds = 900.0
    exempt: list[str] = []
