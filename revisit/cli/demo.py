"""`revisit demo`: the main job on simulated scenes of Khmeimim."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from revisit.cli.compare import run_and_write
from revisit.cli.terminal import tell
from revisit.errors import UsageError
from revisit.recipe import Recipe

SITE, BEFORE, AFTER = "khmeimim", date(2024, 12, 7), date(2024, 12, 17)

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder of the run; the scenes go beside it, to OUT-scenes.")]


def scenes_folder(out: Path) -> Path:
    """Return where the simulated scenes of a run go: beside the run, which is replaced as a whole."""
    whole = out.resolve()
    return whole.with_name(f"{whole.name}-scenes")


def _check_scenes(folder: Path) -> None:
    """Refuse to write scenes among files that are not the demo's."""
    if folder.exists() and not (folder / "truth.json").is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there and does not hold the demo's scenes; choose another folder with -o")


def demo(out: Out = Path("runs/demo")) -> None:
    """Simulate scenes of Khmeimim (nothing in them is real) and compare two of their dates.

    Example: revisit demo -o runs/demo
    """
    from imagery.sources.folder import FolderSource
    from revisit.demo import write_demo
    from revisit.digest import digest
    from revisit.outputs import check_target

    folder = scenes_folder(out)
    check_target(out)
    _check_scenes(folder)
    tell(f"simulating scenes of {SITE} in {folder}")
    write_demo(folder)
    recipe = Recipe(area=SITE, before=BEFORE, after=AFTER, source="demo")
    result, target = run_and_write(recipe, out, source=FolderSource(folder))
    typer.echo(digest(result, target))
