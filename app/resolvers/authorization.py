"""Who may call what: the role that a field requires. `Context.require_caller` and `require_role` raise the errors."""

from __future__ import annotations

from app.context import Context
from app.domain.ledger.transactions import Actor
from app.domain.users import Role

VIEWER = {"viewer": True}
"""The metadata of a field that shows a hidden player to some viewers: its result is not shared between viewers."""


def moderator_of(context: Context) -> Actor:
    """Return the caller as the actor of a decision. Raises Unauthenticated, or Forbidden for other roles."""
    caller = context.require_role(Role.MODERATOR)
    return Actor(caller.user_id, caller.role.value, context.address, context.user_agent)
