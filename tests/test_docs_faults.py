"""The table in docs/faults.md: every row has tests that exist, and no test of a row is missing from it."""

from __future__ import annotations

import ast
import re
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
TABLE = TESTS.parent / "docs" / "faults.md"
ROWS = range(1, 49)
NAMED = re.compile(r"`(test_\w+\.py)::(test_[\w*]+)`")
PREFIX = re.compile(r"test(?:_row_\d+)+")


@cache
def functions(file: str) -> tuple[str, ...]:
    """Return the names of the tests of a file."""
    tree = ast.parse((TESTS / file).read_text())
    return tuple(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def rows() -> dict[int, list[tuple[str, str]]]:
    """Return (file, name or pattern) of the tests of each row."""
    lines = [line for line in TABLE.read_text().splitlines() if re.match(r"\| \d", line)]
    return {int(line.split("|")[1]): NAMED.findall(line) for line in lines}


def test_every_row_is_there_once_and_in_order() -> None:
    assert list(rows()) == list(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_the_tests_of_a_row_exist(row: int) -> None:
    named = rows()[row]
    assert named
    for file, pattern in named:
        assert (TESTS / file).is_file()
        assert any(fnmatchcase(name, pattern) for name in functions(file)), f"{file} has no {pattern}"


def numbered() -> list[tuple[int, str, str]]:
    """Return row, file and name of every test that is named after a row."""
    return [
        (int(number), path.name, name)
        for path in sorted(TESTS.glob("test_*.py"))
        for name in functions(path.name)
        if (prefix := PREFIX.match(name))
        for number in re.findall(r"\d+", prefix.group())
    ]


def test_every_test_of_a_row_stands_in_it() -> None:
    known = rows()
    missing = [
        (row, file, name)
        for row, file, name in numbered()
        if not any(other == file and fnmatchcase(name, pattern) for other, pattern in known[row])
    ]
    assert missing == []
    assert len(numbered()) > 100
