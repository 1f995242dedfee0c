"""Verify: every invariant of the data, checked on all of it."""

from app.services.verify.check_result import CheckResult, Progress
from app.services.verify.verify import Verify

__all__ = ["CheckResult", "Progress", "Verify"]
