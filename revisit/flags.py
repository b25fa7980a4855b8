"""From changed objects in pixels to flags on the user's ground, and their GeoJSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import mapping

from detect.change import ChangedObject
from imagery.burn import outline
from imagery.raster import Raster
from revisit.ground import Ground, outline_note
from revisit.plain import iso_time, rounded
from revisit.result import Flag, Result
from revisit.witnessed import witness_properties

SIMULATED = "SIMULATED scenes: nothing here is real imagery"


def _cropped(item: ChangedObject, margin: int, shape: tuple[int, int]) -> ChangedObject | None:
    """Return the object in the coordinates of the inner grid; None where it lies wholly in the margin."""
    rows, cols = item.rows - margin, item.cols - margin
    inside = (rows >= 0) & (rows < shape[0]) & (cols >= 0) & (cols < shape[1])
    return replace(item, rows=rows[inside], cols=cols[inside]) if inside.any() else None


def crop_objects(items: Sequence[ChangedObject], *, margin: int, shape: tuple[int, int]) -> list[ChangedObject]:
    """Return objects of a padded grid in the coordinates of the grid inside, without what lies in the margin.

    Parameters
    ----------
    items
        In pixels of the padded grid.
    margin
        Pixels of padding on each side.
    shape
        (rows, cols) of the grid inside.
    """
    return [item for item in (_cropped(item, margin, shape) for item in items) if item is not None]


def _uncertain_notes(pixels: tuple[NDArray[np.intp], NDArray[np.intp]], before: Raster, after: Raster) -> list[str]:
    """Return a note for each date on which the provider calls some of the pixels cloud, shadow or snow."""
    shares = {name: float(raster.uncertain[pixels].mean()) for name, raster in (("before", before), ("after", after))}
    return [
        f"{name}: the provider's classification calls {share * 100:.0f} % of its pixels cloud, shadow or snow"
        for name, share in shares.items()
        if share > 0
    ]


def make_flags(
    items: Sequence[ChangedObject], *, ground: Ground, before: Raster, after: Raster, simulated: bool
) -> tuple[Flag, ...]:
    """Return the flags of the objects, strongest first.

    Parameters
    ----------
    items
        In pixels of the ground's grid.
    ground
        Zones and their outlines' accuracy.
    before, after
        As compared, on the ground's grid.
    simulated
        Whether every flag must say that it is not real.
    """

    def order(item: ChangedObject) -> tuple[float, int, int]:
        return -item.strength, int(item.rows.min()), int(item.cols.min())

    flags = []
    for number, item in enumerate(sorted(items, key=order), start=1):
        pixels = item.rows, item.cols
        zone = ground.zone_of(pixels)
        notes = [SIMULATED] if simulated else []
        notes += [*item.notes, *_uncertain_notes(pixels, before, after)]
        notes += [note for note in [outline_note(zone) if zone else None] if note]
        flags.append(Flag(id=f"F{number}", object=item, zone=zone.name if zone else None, notes=tuple(notes)))
    return tuple(flags)


def flag_properties(flag: Flag, result: Result) -> dict[str, Any]:
    """Return the properties of a flag as plain values, with the names that other programs read.

    Parameters
    ----------
    flag
        A changed object.
    result
        That of the flag's own sensor.
    """
    item = flag.object
    return {
        "id": flag.id,
        "scale": item.scale,
        "zone": flag.zone,
        "change": item.change,
        "length_m": rounded(item.length_m, 1),
        "width_m": rounded(item.width_m, 1),
        "orientation_deg": rounded(item.orientation_deg, 1),
        "area_m2": rounded(item.area_m2, 1),
        "contrast": rounded(item.contrast, 5),
        "p_value": rounded(item.p_value, 8),
        "false_alarms": rounded(item.false_alarms, 6),
        "candidates": [{"name": c.name, "likelihood": rounded(c.likelihood, 4)} for c in item.candidates],
        "sensor": result.sensor,
        "before": iso_time(result.before.acquired),
        "after": iso_time(result.after.acquired),
        "scenes": [record.scene.id for record in result.scenes if record.role != "baseline"],
        "notes": list(flag.notes),
        **witness_properties(flag),
    }


def flag_collection(result: Result) -> dict[str, Any]:
    """Return the flags as an RFC 7946 FeatureCollection: the outline of each object's own pixels, lon/lat."""
    features = [
        {
            "type": "Feature",
            "id": flag.id,
            "geometry": mapping(outline(flag.object.rows, flag.object.cols, result.grid)),
            "properties": flag_properties(flag, part),
        }
        for flag, part in result.each_flag()
    ]
    return {"type": "FeatureCollection", "features": features}
