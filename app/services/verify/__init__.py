"""Verify: every invariant of the data, checked on all of it."""

from app.services.verify.findings import Finding, Progress
from app.services.verify.verify import Verify

__all__ = ["Finding", "Progress", "Verify"]
