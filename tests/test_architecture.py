"""Who may import whom, open files and sockets, and print: read from the source, and from a start of the program."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {"aoi": set(), "imagery": {"aoi"}, "detect": {"aoi"}, "revisit": {"aoi", "imagery", "detect"}}
OUTSIDE = {"scripts", "tests", "benchmarks", "examples"}
HEAVY = {"PIL", "cv2", "filelock", "jinja2", "mgrs", "numpy", "platformdirs", "pyproj", "rasterio", "requests", "scipy"}
HEAVY |= {"sentinelhub", "shapely", "skimage", "tifffile", "urllib3"}
"""Each costs 0.03 to 1.6 s to import, where `revisit --help` has 0.4 s in all."""
SOCKETS = {
    "aiohttp",
    "ftplib",
    "http",
    "httpx",
    "requests",
    "socket",
    "socketserver",
    "ssl",
    "urllib.request",
    "urllib3",
}
OPENERS = {"fromfile", "imread", "imwrite", "load", "loadtxt", "memmap", "open", "read_bytes", "read_text", "save"}
OPENERS |= {"savetxt", "savez", "savez_compressed", "tofile", "write_bytes", "write_text"}


@cache
def modules() -> dict[str, ast.Module]:
    """Return the syntax tree of each of our modules, by its dotted name."""
    files = [path for package in MAY_IMPORT for path in sorted((ROOT / package).rglob("*.py"))]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in files]
    return {name: ast.parse(path.read_text(), str(path)) for name, path in zip(names, files, strict=True)}


def imports_below(node: ast.AST) -> Iterator[str]:
    """Yield the dotted name of everything imported below `node`: a module where it is ours, else as it is written."""
    for found in ast.walk(node):
        if isinstance(found, ast.Import):
            yield from (alias.name for alias in found.names)
        elif isinstance(found, ast.ImportFrom):
            full = [f"{found.module}.{alias.name}" for alias in found.names]
            ours = (found.module or "").split(".")[0] in MAY_IMPORT
            yield from ((name if name in modules() else str(found.module)) for name in full) if ours else full


def is_within(name: str, packages: set[str]) -> bool:
    """Return whether `name` is one of `packages` or lies below one."""
    return any(name == package or name.startswith(package + ".") for package in packages)


def importers(packages: set[str]) -> set[str]:
    """Return our modules that import any of `packages`."""
    return {name for name, tree in modules().items() if any(is_within(used, packages) for used in imports_below(tree))}


def called(tree: ast.AST) -> set[str]:
    """Return the last part of the name of everything called below `tree`."""
    functions = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {
        f.attr if isinstance(f, ast.Attribute) else f.id for f in functions if isinstance(f, ast.Attribute | ast.Name)
    }


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_packages_import_only_what_lies_below_them(package: str) -> None:
    ours = set(MAY_IMPORT) | OUTSIDE
    allowed = MAY_IMPORT[package] | {package}
    trees = {name: tree for name, tree in modules().items() if is_within(name, {package})}
    assert trees
    wrong = [
        (name, used) for name, tree in trees.items() for used in imports_below(tree) if is_within(used, ours - allowed)
    ]
    assert wrong == []


def test_detect_knows_no_files_and_no_imagery_libraries() -> None:
    forbidden = SOCKETS | {"rasterio", "sentinelhub", "urllib", "io", "os", "pathlib", "shutil", "sqlite3", "tempfile"}
    inside = {name: tree for name, tree in modules().items() if is_within(name, {"detect"})}
    assert importers(forbidden) & inside.keys() == set()
    assert {name: used for name, tree in inside.items() if (used := called(tree) & OPENERS)} == {}


def test_sockets_are_opened_only_at_the_sources() -> None:
    assert {name for name in importers(SOCKETS) if not is_within(name, {"imagery.http", "imagery.sources"})} == set()


def test_sentinelhub_is_known_to_one_module() -> None:
    assert importers({"sentinelhub"}) <= {"imagery.sources.sentinel_hub"}


def test_sources_do_not_know_each_other() -> None:
    sources = {name for name in modules() if name.startswith("imagery.sources.")} - {"imagery.sources.base"}
    assert sources
    known = {name: set(imports_below(modules()[name])) & (sources - {name}) for name in sources}
    assert {name: others for name, others in known.items() if others} == {}


def test_only_the_command_line_prints() -> None:
    speaking = {"echo", "print", "print_exc", "rprint", "secho"}
    elsewhere = {name: tree for name, tree in modules().items() if not is_within(name, {"revisit.cli"})}
    streams = {name for name in importers({"sys.stdout", "sys.stderr"}) if name in elsewhere}
    dotted = {name for name, tree in elsewhere.items() if {"sys.stdout", "sys.stderr"} & attributes(tree)}
    assert {name for name, tree in elsewhere.items() if called(tree) & speaking} | streams | dotted == set()


def attributes(tree: ast.AST) -> set[str]:
    """Return everything of the form `name.attribute` below `tree`."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    return {f"{node.value.id}.{node.attr}" for node in nodes if isinstance(node.value, ast.Name)}


def test_imports_are_absolute() -> None:
    froms = [(name, n) for name, tree in modules().items() for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    assert froms
    assert [(name, ast.unparse(node)) for name, node in froms if node.level] == []


def test_no_module_imports_itself_through_others() -> None:
    graph = {name: set(imports_below(tree)) & modules().keys() - {name} for name, tree in modules().items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"these import each other in a circle: {' -> '.join(error.args[1])}")


def run_at_import(name: str) -> Iterator[str]:
    """Yield what an import of our module `name` imports in turn, its parent packages first."""
    parts = name.split(".")
    yield from (".".join(parts[:length]) for length in range(1, len(parts)))
    for statement in modules()[name].body:
        typing_only = isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test)
        if not typing_only and not is_function(statement):
            yield from imports_below(statement)


def brings_heavy(name: str, seen: frozenset[str] = frozenset()) -> bool:
    """Return whether an import of `name` loads a heavy library, itself or through our modules."""
    if name not in modules():
        return is_within(name, HEAVY)
    return any(brings_heavy(used, seen | {name}) for used in set(run_at_import(name)) - seen - {name})


def test_imports_inside_a_function_keep_something_heavy_out_of_start_up() -> None:
    """A command may load its own work late even where that is light: `revisit --help` loads all commands."""
    functions = [(name, node) for name, tree in modules().items() for node in ast.walk(tree) if is_function(node)]
    local = {(name, used) for name, function in functions for used in imports_below(function)}
    assert local
    late = {(name, used) for name, used in local if is_within(name, {"revisit.cli"}) and used in modules()}
    assert {(name, used) for name, used in local - late if not brings_heavy(used)} == set()


def is_function(node: ast.AST) -> bool:
    """Return whether `node` defines a function."""
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def test_files_and_functions_stay_short() -> None:
    long = {name for name, tree in modules().items() if tree.body and (tree.body[-1].end_lineno or 0) > 350}
    for name, tree in modules().items():
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        long |= {f"{name}.{node.name}" for node in functions if (node.end_lineno or 0) - node.lineno >= 80}
    assert long == set()


def test_help_starts_without_the_heavy_libraries() -> None:
    ask = "import sys; from revisit.cli.main import main; sys.argv = ['revisit', '--help']\ntry: main()\n"
    ask += f"finally: print('HEAVY', sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "compare" in done.stdout, done.stderr
    assert done.stdout.splitlines()[-1] == "HEAVY []"
