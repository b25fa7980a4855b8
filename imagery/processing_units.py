"""What a request costs at Sentinel Hub, in processing units (PU), before it is sent.

The rules are those of the provider's documentation: one unit is 512 x 512 px of three bands of one acquisition with up
to 16 bits; area, bands, bits and acquisitions count in proportion, and corrections of radar have factors.
"""

from __future__ import annotations

UNIT_PIXELS = 512 * 512
UNIT_BANDS = 3
LEAST_AREA = 0.01
"""A smaller picture costs as much as this share of 512 x 512 px."""
LEAST_UNITS = 0.005
"""No picture costs less."""
FLOAT_FACTOR = 2.0
"""For output of 32 bits."""
ORTHORECTIFIED, TERRAIN_CORRECTED, SPECKLE_FILTERED = 2.0, 2.5, 2.0
"""Factors for radar; the second is taken instead of the first."""
CATALOG_AREA_KM2 = 1e6
LEAST_CATALOG_UNITS, MOST_CATALOG_UNITS = 0.01, 1.0
SPENT_HEADER = "x-processingunits-spent"
"""Of an answer: what it cost."""


def picture_units(shape: tuple[int, int], bands: int, *, samples: int = 1, factor: float = 1.0) -> float:
    """Return what one picture of the Process API costs, PU.

    Parameters
    ----------
    shape
        (rows, cols) of the picture.
    bands
        Read by the script; `dataMask` is free and not counted.
    samples
        Acquisitions that are read for each pixel.
    factor
        Product of what applies of `FLOAT_FACTOR`, `ORTHORECTIFIED` or `TERRAIN_CORRECTED`, and `SPECKLE_FILTERED`.

    Raises
    ------
    ValueError
        For a picture without pixels, bands or samples.

    Examples
    --------
    >>> picture_units((512, 512), 3)
    1.0
    >>> round(picture_units((2048, 2048), 2, factor=FLOAT_FACTOR * TERRAIN_CORRECTED), 2)
    53.33
    """
    rows, cols = shape
    if min(rows, cols, bands, samples) < 1 or factor < 1:
        raise ValueError(f"no picture: {rows} x {cols} px, {bands} bands, {samples} samples, factor {factor:g}")
    area = max(rows * cols / UNIT_PIXELS, LEAST_AREA)
    return max(area * bands / UNIT_BANDS * samples * factor, LEAST_UNITS)


def search_units(area_km2: float, months: float) -> float:
    """Return what one request to the catalogue costs, PU: area and span of time, within 0.01 and 1.

    Parameters
    ----------
    area_km2
        Ground that is searched, km2.
    months
        Span of time that is searched, months.

    Examples
    --------
    >>> search_units(25, 1), search_units(5e5, 1), search_units(1e6, 12)
    (0.01, 0.5, 1.0)
    """
    area = max(area_km2 / CATALOG_AREA_KM2, LEAST_AREA)
    return min(max(area * months, LEAST_CATALOG_UNITS), MOST_CATALOG_UNITS)
