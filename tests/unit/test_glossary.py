"""The vocabulary of docs/glossary.md is the vocabulary of the code.

`python -m tests.unit.test_glossary` prints every name that contains a retired word.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()
SOURCES = [path for folder in ("app", "bench", "ops") for path in sorted((ROOT / folder).rglob("*.py"))]

ALLOWED = {
    "suspect": "a suspicious completion; the field of that name in the body of the verifiers' webhook",
    "is_suspect": "a suspicious completion",
    "even_shortest": "a key of the setting FRAUD_THRESHOLDS",
    "even_longest": "a key of the setting FRAUD_THRESHOLDS",
    "Unauthenticated": "the error whose code is UNAUTHENTICATED",
}
"""Names that are terms of the product or of a library, with the reason."""

LONE_PARTICIPLE = re.compile(r"_?[A-Z][a-z]*[^e]ed")
"""A class name such as `Loaded` or `_Opened`, which does not say what it is of; `Feed` is none."""


@dataclass(frozen=True)
class Name:
    """A name that the code defines."""

    text: str
    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} {self.text}"


def table_rows(heading: str) -> list[list[str]]:
    """Return the cells of every row of the first table below `heading`."""
    section = GLOSSARY.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def term_headings() -> list[str]:
    return [heading for heading in re.findall(r"^## (.+)$", GLOSSARY, re.MULTILINE) if heading != "Retired words"]


TERMS = [row for heading in term_headings() for row in table_rows(heading)]
RETIRED = {word.strip(): replacement for words, replacement in table_rows("Retired words") for word in words.split(",")}


def words_of(name: str) -> list[str]:
    """Split a name at underscores and at the capitals of camel case: `_CachedHeads` is cached, heads."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def retired_words_in(name: str) -> list[str]:
    words = f" {' '.join(words_of(name))} "
    return [retired for retired in RETIRED if f" {retired} " in words]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def names_in(path: Path) -> Iterator[Name]:
    """Yield the names of the module, its classes, functions, parameters, attributes and constants."""
    yield Name(path.parent.name if path.stem == "__init__" else path.stem, path, 1)
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ClassDef):
            yield Name(node.name, path, node.lineno)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Name(node.name, path, node.lineno)
            arguments = node.args
            extra = [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
            for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *extra]:
                yield Name(argument.arg, path, argument.lineno)
        if isinstance(node, ast.Module | ast.ClassDef):
            yield from assigned_in(node, path)


def assigned_in(owner: ast.Module | ast.ClassDef, path: Path) -> Iterator[Name]:
    for statement in owner.body:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        else:
            continue
        for target in targets:
            for node in ast.walk(target):
                if isinstance(node, ast.Name):
                    yield Name(node.id, path, node.lineno)


def offenders() -> list[str]:
    """Return a line for every name that contains a retired word, sorted by file."""
    found = []
    for name in (name for path in SOURCES for name in names_in(path) if name.text not in ALLOWED):
        found += [f"{name} - instead of '{word}': {RETIRED[word]}" for word in retired_words_in(name.text)]
        if LONE_PARTICIPLE.fullmatch(name.text):
            found.append(f"{name} - a participle by itself: name the noun")
    return found


def methods_of(tree: ast.Module) -> dict[str, set[str]]:
    """Return the names that each class of the module defines in its body."""
    return {
        node.name: {member.name for member in node.body if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef)}
        | {
            member.target.id
            for member in node.body
            if isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name)
        }
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }


def defined_names() -> set[str]:
    """Return every class, function, `Class.method` and name at module level of the sources."""
    defined: set[str] = set()
    for path in SOURCES:
        tree = tree_of(path)
        defined |= {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        }
        defined |= {name.text for name in assigned_in(tree, path)}
        for owner, members in methods_of(tree).items():
            defined |= {f"{owner}.{member}" for member in members}
    return defined


def test_every_code_name_of_the_glossary_exists():
    defined = defined_names()
    named = [(row[0], code) for row in TERMS for code in re.findall(r"`([^`]+)`", row[-1])]
    assert len(named) >= len(TERMS)
    missing = [
        f"{term}: {code}" for term, code in named if not ((ROOT / code).exists() if "/" in code else code in defined)
    ]
    assert missing == []


def test_every_term_is_explained_once():
    terms = [row[0] for row in TERMS]
    assert [term for term in terms if terms.count(term) > 1] == []
    assert [row for row in TERMS if len(row) != 4 or not all(row)] == []


def test_no_term_of_the_glossary_is_a_retired_word():
    assert [row[0] for row in TERMS if retired_words_in(row[0])] == []


def test_no_name_contains_a_retired_word_or_is_a_lone_participle():
    found = offenders()
    if found:
        pytest.fail(f"{len(found)} names contain a retired word (docs/glossary.md):\n" + "\n".join(found))


def test_every_exception_is_needed():
    names = {name.text for path in SOURCES for name in names_in(path)}
    objectionable = {name for name in names if retired_words_in(name) or LONE_PARTICIPLE.fullmatch(name)}
    assert sorted(set(ALLOWED) - objectionable) == []


if __name__ == "__main__":
    for line in offenders():
        print(line)  # noqa: T201 - the list is what the program is for
