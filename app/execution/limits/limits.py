"""The size limits of documents."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLimits:
    """How large a document may be. `app.execution.limits.measure.check` applies the limits.

    The defaults keep parsing, measuring and validation of any document within 50 ms, which `python -m bench.attack`
    measures, and leave room for the documents of GraphiQL and code generators.
    """

    introspection: bool = True
    """Whether `__schema` and `__type` may be selected."""
    max_length: int = 65_536
    """Characters of the text."""
    max_operations: int = 10
    max_fragments: int = 30
    """Fragment definitions. Colocated fragments of a whole page are about twenty."""
    max_variables: int = 50
    """Variables of one operation."""
    max_depth: int = 10
    """Fields above one another, introspection not counted: its own nesting is bounded by validation."""
    max_root_fields: int = 10
    max_aliases: int = 15
    max_directives: int = 40
    max_fields: int = 300
    max_cost: int = 6_000
    """Fields an execution may resolve: each counts once for every element of the lists around it."""
    max_list_size: int = 100
    """The size assumed for a list whose size argument is a variable, and the largest size counted; resolvers refuse
    more."""
    unsized_list: int = 10
    """The size assumed for a list that no argument sizes."""
