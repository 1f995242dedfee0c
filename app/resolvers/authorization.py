"""Who may call what: the role that a field requires. `Context.require_caller` and `require_role` raise the errors."""

from __future__ import annotations

from app.context import Context
from app.domain.ledger.transactions import Actor
from app.domain.users import Role


def moderator_of(context: Context) -> Actor:
    """Return the caller as the actor of a decision. Raises Unauthenticated, or Forbidden for other roles."""
    caller = context.require_role(Role.MODERATOR)
    return Actor(caller.user_id, caller.role.value, context.address, context.user_agent)
