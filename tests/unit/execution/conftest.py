from __future__ import annotations

import pytest

from app.execution import Engine
from tests.unit.execution.library import Context, schema


@pytest.fixture
def engine() -> Engine:
    return Engine(schema)


@pytest.fixture
def context() -> Context:
    return Context()
