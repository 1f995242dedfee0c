"""A check that names of other libraries, which they do not promise to keep, exist in the installed version."""

from __future__ import annotations

from importlib.metadata import version


class UpstreamChanged(ImportError):
    """A library does not have a name that this service relies on, though the library never promised it."""


def require_names(library: str, owner: object, *names: str) -> None:
    """Check that a class or module has `names`.

    An attribute of a class counts if it is defined, annotated or assigned in `__init__`.

    Args:
        library: The distribution that `owner` belongs to, for the message.
        owner: A class or a module of the library.
        names: The names that it must have.

    Raises:
        UpstreamChanged: The message says which name is missing from which version of the library.
    """
    for name in names:
        if not _has_name(owner, name):
            path = f"{getattr(owner, '__qualname__', owner)}.{name}"
            raise UpstreamChanged(
                f"{library} {version(library)} has no `{path}`. Install the version that `locks/` names, or change the "
                "code that uses this name."
            )


def _has_name(owner: object, name: str) -> bool:
    if hasattr(owner, name):
        return True
    for cls in getattr(owner, "__mro__", ()):
        if name in vars(cls).get("__annotations__", ()):
            return True
        constructor = getattr(vars(cls).get("__init__"), "__code__", None)
        if constructor is not None and name in constructor.co_names:
            return True
    return False
