"""The manifest of a run that a source ended: what was read, what is missing, and that nothing may be concluded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from revisit.manifest import SCHEMA, software
from revisit.outputs import MANIFEST, staged
from revisit.plain import write_json
from revisit.recipe import Recipe, command_of, recipe_table
from revisit.watched import UnfinishedRunError


def _record(recipe: Recipe, error: UnfinishedRunError) -> dict[str, Any]:
    """Return the manifest as plain JSON values."""
    return {
        "schema": SCHEMA,
        "command": command_of(recipe),
        "recipe": recipe_table(recipe),
        "complete": False,
        "finished": False,
        "error": str(error.__cause__),
        "read": [{"id": read.scene, "sha256": read.sha256} for read in error.watched.reads],
        "missing": [{"what": missing.what, "reason": missing.reason} for missing in error.watched.missing],
        "exchange": dict(error.traffic or {}),
        "software": software(),
        "warnings": [
            "the run did not end: nothing may be concluded from what is here, least of all that nothing changed"
        ],
    }


def write_unfinished(recipe: Recipe, error: UnfinishedRunError, folder: Path) -> Path | None:
    """Write the manifest of a run that did not end, alone in its folder.

    A finished run of an earlier call in the same place stays as it is.

    Returns
    -------
    Path or None
        The folder; None where a finished run is there.
    """
    target = Path(os.path.realpath(folder))
    if (target / "item.json").exists():
        return None
    with staged(target) as stage:
        write_json(stage / MANIFEST, _record(recipe, error))
    return target
