"""Migrations run while the service writes: they must not block it, and their scripts are checked for what would."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

VERSIONS = Path(__file__).parents[2] / "migrations" / "versions"
SCRIPTS = [path for path in sorted(VERSIONS.glob("*.py")) if path.name != "0001_baseline.py"]

BLOCKING_SQL = {
    r"\bCREATE\s+(UNIQUE\s+)?INDEX\s+(?!CONCURRENTLY)": "an index must be created CONCURRENTLY",
    r"\bDROP\s+INDEX\s+(?!CONCURRENTLY)": "an index must be dropped CONCURRENTLY",
    r"\bALTER\s+(COLUMN\s+)?\w+\s+(SET\s+DATA\s+)?TYPE\b": "a change of a type rewrites the table",
    r"\bSET\s+NOT\s+NULL\b": "SET NOT NULL scans the table",
    r"\bLOCK\s+TABLE\b": "LOCK TABLE stops the service",
    r"\bVACUUM\s+FULL\b|\bCLUSTER\b": "it rewrites the table",
    r"\bADD\s+(CONSTRAINT\s+\w+\s+)?(CHECK|FOREIGN\s+KEY)\b(?!.*NOT\s+VALID)": "a constraint must be added NOT VALID",
}
CONTRACTING = ("drop_column", "drop_table", "drop_constraint", "rename_table")


def problems_of(source: str) -> list[str]:
    """Return what a migration does that blocks the service, or that versions before it cannot cope with."""
    module = ast.parse(source)
    functions = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
    values = {
        node.targets[0].id: node.value.value
        for node in module.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    problems = [f"{name}() is missing" for name in ("upgrade", "downgrade") if name not in functions]
    if not isinstance(values.get("compatible_with"), str):
        problems.append("compatible_with is missing")
    if values.get("blocking"):  # The reason why it may block.
        return problems
    undo = functions.get("downgrade")
    nodes = [node for part in module.body if part is not undo for node in ast.walk(part)]
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    created = {_text(call.args[0]) for call in calls if _name(call) == "create_table" and call.args}
    for call in calls:
        problems += _problems_of_call(call, created, values)
    return problems


def _problems_of_call(call: ast.Call, created: set[str], values: dict[str, object]) -> list[str]:
    name, options = _name(call), {keyword.arg: keyword.value for keyword in call.keywords}
    texts = [_text(argument) for argument in call.args]
    on_new_table = any(text in created for text in texts[:2])
    match name:
        case "create_index" if not on_new_table:
            return ["an index of a table in use must be made by create_index_concurrently"]
        case "drop_index":
            return ["an index must be dropped by drop_index_concurrently"]
        case "create_unique_constraint" if not on_new_table:
            return ["a unique constraint must be an index that was made by create_index_concurrently"]
        case "create_foreign_key" | "create_check_constraint" if (
            not on_new_table and "postgresql_not_valid" not in options
        ):
            return ["a constraint must be added with postgresql_not_valid=True, and be validated by a later migration"]
        case "alter_column" if "type_" in options:
            return ["a change of a type rewrites the table: add a column instead"]
        case "alter_column" if "nullable" in options:
            return ["SET NOT NULL scans the table: add a check that is not valid, and validate it later"]
        case "add_column":
            column = call.args[1] if len(call.args) > 1 else None
            given = {keyword.arg: keyword.value for keyword in column.keywords} if isinstance(column, ast.Call) else {}
            required = isinstance(given.get("nullable"), ast.Constant) and given["nullable"].value is False
            if required and "server_default" not in given:
                return ["a column that must not be null needs a server_default: older versions do not set it"]
        case "execute":
            return [reason for pattern, reason in BLOCKING_SQL.items() if re.search(pattern, texts[0], re.I | re.S)]
        case _ if name in CONTRACTING and values.get("compatible_with") not in (
            values["revision"],
            values["down_revision"],
        ):
            return ["what older versions use is dropped, and so they are not compatible with it"]
    return []


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _text(node: ast.expr) -> str:
    """Return the text of a literal, also of one with values in it, or within `text(…)`."""
    return " ".join(str(part.value) for part in ast.walk(node) if isinstance(part, ast.Constant))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_migration_does_not_block_the_service(script: Path):
    assert problems_of(script.read_text()) == []


HEAD = 'revision = "2"\ndown_revision = "1"\ncompatible_with = "0"\n'


@pytest.mark.parametrize(
    "statement",
    [
        'op.create_index("ix_users_a", "users", ["a"])',
        'op.drop_index("ix_users_a")',
        'op.create_unique_constraint("uq", "users", ["a"])',
        'op.create_foreign_key("fk", "users", "others", ["a"], ["b"])',
        'op.create_check_constraint("ck", "users", "a > 0")',
        'op.alter_column("users", "a", type_=sa.Text())',
        'op.alter_column("users", "a", nullable=False)',
        'op.add_column("users", sa.Column("a", sa.Integer(), nullable=False))',
        'op.drop_column("users", "a")',
        'op.execute("CREATE UNIQUE INDEX a ON users (a)")',
        'op.execute(sa.text("ALTER TABLE users ALTER COLUMN a TYPE text"))',
        'op.execute("ALTER TABLE users ALTER a SET NOT NULL")',
        'op.execute("LOCK TABLE users")',
        'op.execute("ALTER TABLE users ADD CONSTRAINT c CHECK (a > 0)")',
    ],
)
def test_what_blocks_the_service_is_noticed(statement: str):
    rest = "\ndef downgrade():\n    pass\n"
    assert len(problems_of(f"{HEAD}\ndef upgrade():\n    {statement}\n{rest}")) == 1
    assert len(problems_of(f"{HEAD}\ndef upgrade():\n    step()\n\ndef step():\n    {statement}\n{rest}")) == 1
    assert problems_of(f'{HEAD}blocking = "the table is small"\n\ndef upgrade():\n    {statement}\n{rest}') == []


@pytest.mark.parametrize(
    "statement",
    [
        'op.create_table("new", sa.Column("a")); op.create_index("ix_new_a", "new", ["a"])',
        'op.add_column("users", sa.Column("a", sa.Integer(), nullable=False, server_default="0"))',
        'op.add_column("users", sa.Column("a", sa.Integer()))',
        'op.create_check_constraint("ck", "users", "a > 0", postgresql_not_valid=True)',
        'op.execute("ALTER TABLE users ADD CONSTRAINT c CHECK (a > 0) NOT VALID")',
        'create_index_concurrently("ix_users_a", "users", ["a"])',
    ],
)
def test_what_does_not_block_the_service_is_allowed(statement: str):
    assert problems_of(f"{HEAD}\ndef upgrade():\n    {statement}\n\ndef downgrade():\n    pass\n") == []


def test_a_migration_must_be_complete():
    assert problems_of('revision = "2"\n') == [
        "upgrade() is missing",
        "downgrade() is missing",
        "compatible_with is missing",
    ]
