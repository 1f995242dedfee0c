"""The viewer: what callers can see about themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.domain.rate_limits import Activity, Allowance
from app.domain.users import Caller, Profile


@dataclass(frozen=True, slots=True)
class Viewer:
    """A caller's profile, action tokens and rate limits."""

    caller: Caller
    profile: Profile
    open_tokens: int
    max_open_tokens: int
    allowances: Mapping[Activity, Allowance]
