"""Every guarantee and every defence names a test that is there."""

import ast
import re
from pathlib import Path

PROJECT = Path(__file__).parents[2]
_TEST = re.compile(r"`([\w/]+\.py)?::(test_\w+)`")


def list_named_tests(page: str) -> list[tuple[str, str]]:
    """Return (file, test) of each line of a page; a test without a file is in the file named before it."""
    found, file = [], ""
    for match in _TEST.finditer((PROJECT / "docs" / page).read_text()):
        file = match[1] or file
        found.append((file, match[2]))
    return found


def list_functions(file: str) -> set[str]:
    tree = ast.parse((PROJECT / file).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def find_lacking(page: str) -> list[tuple[str, str]]:
    return [(file, test) for file, test in list_named_tests(page) if test not in list_functions(file)]


def test_every_test_that_a_guarantee_names_is_there() -> None:
    assert len(list_named_tests("guarantees.md")) > 60
    assert find_lacking("guarantees.md") == []


def test_every_test_that_a_defence_names_is_there() -> None:
    assert list_named_tests("security.md")
    assert find_lacking("security.md") == []
