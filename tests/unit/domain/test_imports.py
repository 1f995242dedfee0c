"""The domain stands on the standard library alone, and its modules on each other without a circle."""

import ast
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import app.domain

FOLDER = Path(app.domain.__path__[0])
MODULES = {
    ".".join(("app.domain", *path.relative_to(FOLDER).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in FOLDER.rglob("*.py")
}


def imports(path: Path) -> set[str]:
    """The modules that a file imports, under whatever condition."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found.add(str(node.module))
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


def test_the_domain_imports_the_standard_library_the_error_codes_and_itself():
    foreign = {
        (module, name)
        for module, path in MODULES.items()
        for name in imports(path)
        if name not in MODULES and name != "app.error_codes" and name.partition(".")[0] not in sys.stdlib_module_names
    }
    assert foreign == set()


def test_no_module_of_the_domain_imports_itself_by_a_detour():
    graph = {module: imports(path) & MODULES.keys() for module, path in MODULES.items()}
    assert set(TopologicalSorter(graph).static_order()) == MODULES.keys()
