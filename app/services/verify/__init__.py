"""The check of every invariant, on all data."""

from app.services.verify.check_result import CheckResult, Progress
from app.services.verify.verify import Verify

__all__ = ["CheckResult", "Progress", "Verify"]
