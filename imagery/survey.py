"""What of a scene can be used, told from its classification before any band is read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from imagery.mask import bound_validity
from imagery.sources.base import Survey


def survey_classes(classes: NDArray[np.generic], gsd: float) -> Survey:
    """Return the survey that a scene classification allows.

    Parameters
    ----------
    classes
        (row, col) on the grid; `imagery.bands.SCL`.
    gsd
        Of the grid, metres.
    """
    usable, possible = bound_validity(classes, gsd)
    return Survey(usable=usable, possible=possible)
