"""The lock files, the declared dependencies, and the two scripts' promise to install exactly those."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("aoi", "imagery", "detect", "revisit")
LOCKS = ("requirements.lock", "requirements-dev.lock")
REQUIREMENT = re.compile(r"[a-z0-9][a-z0-9.-]*==[^ ]+( ; [^\\]+)?( --hash=sha256:[0-9a-f]{64})+")
OTHERWISE_NAMED = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "odc": "odc-geo",
    "pystac_client": "pystac-client",
    "rio_cogeo": "rio-cogeo",
    "skimage": "scikit-image",
}
"""Distributions that are not called as what they bring."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def locked(name: str) -> dict[str, str]:
    """Return the version of each package in a lock file."""
    logical = (ROOT / name).read_text().replace("\\\n", "").splitlines()
    return dict(line.split()[0].split("==") for line in logical)


def names(requirements: list[str]) -> set[str]:
    """Return the packages' names without version and extras."""
    return {re.split(r"[\[<>=~! ;]", requirement)[0] for requirement in requirements}


def distributions(folders: tuple[str, ...]) -> set[str]:
    """Return the distributions that the files in `folders` import: not the standard library, not ourselves."""
    trees = [ast.parse(path.read_text()) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    used = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    used |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    tops = {name.split(".")[0] for name in used} - sys.stdlib_module_names - {*PACKAGES, "tests", "benchmarks"}
    return {OTHERWISE_NAMED.get(top, top) for top in tops}


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_of_a_lock_is_one_version_with_hashes_and_nothing_else(name: str) -> None:
    logical = (ROOT / name).read_text().replace("\\\n", "").splitlines()
    assert len(logical) > len(PROJECT["dependencies"])
    assert [line for line in logical if not REQUIREMENT.fullmatch(re.sub(r" +", " ", line))] == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_address_and_no_path(name: str) -> None:
    text = (ROOT / name).read_text()
    assert [
        word for word in ("://", "file:", "--index", "--find-links", "--extra", "@ ", "\n-", "/") if word in text
    ] == []


def test_the_tests_run_on_the_versions_that_users_get() -> None:
    product, tests = (locked(name) for name in LOCKS)
    assert product.items() <= tests.items()


def test_the_locks_hold_what_is_declared() -> None:
    extras = PROJECT["optional-dependencies"]
    product, tests = (locked(name) for name in LOCKS)
    assert names(PROJECT["dependencies"]) <= product.keys()
    assert names(extras["test"] + extras["dev"]) - {"revisit"} <= tests.keys()


def test_only_one_build_of_opencv_is_locked() -> None:
    """Two builds own the same folder `cv2`, and overwrite each other without a word."""
    assert [name for name in locked("requirements-dev.lock") if name.startswith("opencv")] == ["opencv-python-headless"]


def test_what_is_imported_is_declared() -> None:
    product = names(PROJECT["dependencies"])
    assert distributions(PACKAGES) <= product
    assert distributions(("tests", "benchmarks")) <= product | names(PROJECT["optional-dependencies"]["test"])
