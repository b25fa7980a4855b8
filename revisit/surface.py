"""Claims that the surface of a place was changed: two dates suffice, because its own surroundings are the measure."""

from __future__ import annotations

import numpy as np

from detect.errors import DetectError
from detect.optical import Pair
from detect.surface import surface_change
from imagery.burn import burn
from revisit.evidence import Surface
from revisit.places import Place
from revisit.result import Result


def surface_of(scene: str, result: Result, place: Place, *, seed: str) -> Surface | None:
    """Return how the area statistic of a place compares with unchanged ground of the same cover.

    Parameters
    ----------
    scene
        Id of the later one.
    result
        Two dates, calibrated or not.
    place
        On the result's grid.
    seed
        The same text gives the same trials.

    Returns
    -------
    None where it cannot be compared.
    """
    before, after = result.before, result.after
    pair = Pair(
        before=np.asarray(before.data),
        after=np.asarray(after.data),
        valid=before.valid & after.valid,
        gsd=result.grid.gsd,
        # The area map does not look at the shift: its smoothing is wider.
        shift_error_px=(0.0, 0.0),
    )
    inside, rng = burn(result.aoi.geometry, result.grid), np.random.default_rng(list(seed.encode()))
    try:
        change = surface_change(pair, place.pixels, ground=inside, rng=rng)
    except DetectError:
        return None
    return Surface(scene=scene, share=change.share, pd=change.pd) if change else None
