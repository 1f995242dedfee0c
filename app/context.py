"""What a resolver may see of the request it works for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from app.domain.errors import Forbidden, Unauthenticated
from app.domain.users import Caller, Role
from app.execution import Dependencies
from app.services.cacheable import Cacheable
from app.wiring import App

T = TypeVar("T")


@dataclass(slots=True)
class Context:
    """One operation's view: the services, and who asks from where. `caller` is None for an anonymous request.

    An execution that is shared by many viewers has no caller and no address either. `dependencies` is there when its
    result may be used again for as long as they hold.
    """

    app: App
    caller: Caller | None = None
    address: str = ""
    user_agent: str | None = None
    request_id: str = ""
    dependencies: Dependencies | None = None

    def cached(self, result: Cacheable[T]) -> T:
        """Return the value that one root field is made of, and add its dependencies: see `Dependencies.add`."""
        if self.dependencies is not None:
            # A dependency that has changed since the value was read is unknown, so that the response is not cached.
            current = [
                dependency if seen is not None and dependency() is seen else _unknown
                for dependency, seen in result.dependencies
            ]
            self.dependencies.add(*current)
        return result.value

    def require_caller(self) -> Caller:
        """The caller. Raises Unauthenticated for an anonymous request."""
        if self.caller is None:
            raise Unauthenticated
        return self.caller

    def require_role(self, *roles: Role) -> Caller:
        """The caller, who has one of `roles`. Raises Unauthenticated or Forbidden."""
        caller = self.require_caller()
        if caller.role not in roles:
            raise Forbidden
        return caller


def _unknown() -> None:
    """Stand for a dependency whose state is not known."""
