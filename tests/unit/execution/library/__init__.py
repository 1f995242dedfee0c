"""A small schema with every feature the engine must get right: a library of books and films."""

from tests.unit.execution.library.query import Query
from tests.unit.execution.library.schema import CONFIG, schema
from tests.unit.execution.library.types import Context, Missing
from tests.unit.execution.library.values import BROKEN

__all__ = ["BROKEN", "CONFIG", "Context", "Missing", "Query", "schema"]
