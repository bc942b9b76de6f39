"""Every guarantee names a test that is there."""

import ast
import re
from pathlib import Path

PROJECT = Path(__file__).parents[2]
_TEST = re.compile(r"`([\w/]+\.py)?::(test_\w+)`")


def list_named_tests() -> list[tuple[str, str]]:
    """Return (file, test) of each line; a test without a file is in the file named before it."""
    found, file = [], ""
    for match in _TEST.finditer((PROJECT / "docs" / "guarantees.md").read_text()):
        file = match[1] or file
        found.append((file, match[2]))
    return found


def list_functions(file: str) -> set[str]:
    tree = ast.parse((PROJECT / file).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_test_that_a_guarantee_names_is_there() -> None:
    named = list_named_tests()
    assert len(named) > 60
    assert [(file, test) for file, test in named if test not in list_functions(file)] == []
