"""The results of two sensors as one: flags side by side, each with what the other sensor saw at its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from aoi import AOI
from revisit.ground import AREA
from revisit.recipe import Recipe
from revisit.result import Flag, Result, Witness
from revisit.together import Sight, witnesses
from revisit.witnessed import witness_note

RADAR_PREFIX = "R"
"""Of the ids of radar flags beside optical ones, whose ids begin with F."""


def shared_recipe(recipe: Recipe, sensor: str) -> Recipe:
    """Return what one of two sensors is asked: half of the chance flags, so that the run as a whole keeps its promise.

    Two sensors that each gave the whole rate would give twice as many flags by chance as were asked for.
    """
    return replace(recipe, sensor=sensor, false_alarms_per_km2=recipe.false_alarms_per_km2 / 2)


def _kinds(aoi: AOI) -> Mapping[str | None, str]:
    """Return the kind of ground by the name of a zone; of an area without zones, that of all of it."""
    return {None: AREA, **{zone.name: zone.kind for zone in aoi.zones}}


def _sight(result: Result) -> Sight:
    """Return what a result shows, for the other sensor."""
    return Sight(
        sensor=result.sensor,
        before=result.before.acquired,
        after=result.after.acquired,
        flags=result.flags,
        valid=np.asarray(result.change.valid),
        detectability=result.detectability,
        rate=result.recipe.false_alarms_per_km2,
        calibrated=result.change.calibrated,
    )


def _renamed(result: Result) -> Result:
    """Return the radar's result with flags that no optical one is mistaken for."""
    flags = tuple(replace(flag, id=RADAR_PREFIX + flag.id.lstrip("F")) for flag in result.flags)
    return replace(result, flags=flags)


def _witnessed(flag: Flag, told: Mapping[str, Witness]) -> Flag:
    """Return a flag with what the other sensor says, as a value and in plain words."""
    witness = told[flag.id]
    return replace(flag, witness=witness, notes=(witness_note(witness, flag.object.change), *flag.notes))


def _warnings(optical: Result, radar: Result) -> tuple[str, ...]:
    """Return the warnings of both; what only radar has is said to be radar's."""
    return (*optical.warnings, *(f"radar: {text}" for text in radar.warnings if text not in optical.warnings))


def join_results(recipe: Recipe, optical: Result, radar: Result) -> Result:
    """Return the result of both sensors.

    Parameters
    ----------
    recipe
        Of the run.
    optical, radar
        Of the same ground, each with its share of the false alarms.
    """
    radar = _renamed(radar)
    told = witnesses(_sight(optical), _sight(radar), kinds=_kinds(optical.aoi), gsd=optical.grid.gsd)
    first, second = (
        tuple(_witnessed(flag, one) for flag in result.flags)
        for result, one in zip((optical, radar), told, strict=True)
    )
    return replace(
        optical,
        recipe=recipe,
        own=optical.recipe,
        other=replace(radar, flags=second),
        flags=(*first, *second),
        simulated=optical.simulated or radar.simulated,
        warnings=_warnings(optical, radar),
        complete=optical.complete and radar.complete,
    )
