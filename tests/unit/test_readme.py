"""What the README shows is true of the schema and of the command line."""

from __future__ import annotations

import re
from pathlib import Path

from graphql import parse, validate

from app.cli.program import MODULES, build_program
from app.graphql import build_schema

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_every_operation_is_valid():
    schema = build_schema()._schema
    blocks = re.findall(r"```graphql\n(.*?)```", README, re.DOTALL)
    blocks += re.findall(r'"query":\s*"(.*?)"\}', README, re.DOTALL)
    operations = [each for block in blocks for each in re.split(r"\n(?=mutation)", block)]
    assert len(operations) == 4
    for operation in operations:
        assert validate(schema, parse(operation)) == []


def test_every_command_is_named():
    program = build_program()
    commands = {
        command.name or command.callback.__name__ for command in program.registered_commands if command.callback
    }
    commands |= {group.name for group in program.registered_groups if group.name}
    assert len(commands) >= len(MODULES)
    assert {command for command in commands if f"`{command}`" not in README} == set()
