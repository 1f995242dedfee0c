"""Commitments: what the ledger's hashes contain in place of personal data, so that the data itself can be erased.

A commitment is an HMAC-SHA256 with a random salt. With the salt anybody can check that a value is the one committed to;
once the salt is deleted, nobody can find the value by trying all addresses. The hashes stay valid all the same.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace

from app.domain.ledger.transactions import Actor

SALT_BYTES = 32
"""Random bytes per transaction: one half for its origin, one for its reason, which are erased at different times."""


@dataclass(frozen=True, slots=True)
class PersonalDetails:
    """The personal data of one transaction, which the ledger contains only as commitments, and the salt of those.

    The salt may be empty where there is no personal data.
    """

    address: str | None
    user_agent: str | None
    reason: str | None
    salt: bytes

    def __post_init__(self) -> None:
        if len(self.salt) != SALT_BYTES and (self.has_origin or self.reason is not None):
            raise ValueError(f"the salt must have {SALT_BYTES} bytes where there is something to commit to")

    @property
    def origin_salt(self) -> bytes:
        """The salt of the commitments to the address and the user agent."""
        return self.salt[: SALT_BYTES // 2]

    @property
    def reason_salt(self) -> bytes | None:
        """The salt of the commitment to the reason; None if there is no reason."""
        return None if self.reason is None else self.salt[SALT_BYTES // 2 :]

    @property
    def has_origin(self) -> bool:
        """Whether there is an address or a user agent."""
        return self.address is not None or self.user_agent is not None

    def commit_actor(self, actor: Actor) -> Actor:
        """Return `actor` with commitments in place of the address and the user agent."""
        if not self.has_origin:
            return actor
        address = commit(self.origin_salt, "address", self.address)
        return replace(actor, address=address, user_agent=commit(self.origin_salt, "user_agent", self.user_agent))

    def commit_reason(self) -> str | None:
        """Return the commitment to the reason; None if there is none."""
        return commit(self.reason_salt or b"", "reason", self.reason)


def commit(salt: bytes, field: str, value: str | None) -> str | None:
    """Return the commitment to the value of a field, 43 characters of URL-safe base64; None for None.

    The field is a part of the message, so that equal values of two fields have different commitments.
    """
    if value is None:
        return None
    digest = hmac.digest(salt, f"{field}:{value}".encode(), "sha256")
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
