"""Objects with a global id.

The id of a `User` or a `Transaction` is a UUID and that of a `Category` its key, because arguments take them. All other
ids begin with the name of their type and a colon, so that no two objects of different types have the same id.
"""

from __future__ import annotations

import strawberry

MAX_NODES = 50
"""The maximum of objects that one field reads by their ids."""


@strawberry.interface(description="An object with a global id, by which `node` returns it again.")
class Node:
    id: strawberry.ID = strawberry.field(description="A stable identifier. No two objects of any type share one.")


def node_id(type_name: str, key: object) -> strawberry.ID:
    """Return the id of an object by the name of its type and its key among the objects of that type."""
    return strawberry.ID(f"{type_name}:{key}")


def key_of(type_name: str, node_id: str) -> str | None:
    """Return the key in the id of an object of this type; None if it is the id of something else."""
    prefix, separator, key = node_id.partition(":")
    return key if separator and prefix == type_name else None
