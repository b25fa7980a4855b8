"""Which pixels can be used: the provider's classification, with a guard for bright ground that it calls cloud.

Sen2Cor's scene classification (SCL) calls concrete, metal roofs, ships and bright soil cloud or snow, on every date or
on some, and with that removes exactly the ground that is asked for. The guard looks at the image of the same date only
and keeps such a component, as *uncertain*, where it does not look like one:

small and hard
    up to `SMALL_M2`, brighter than its surroundings, and with an edge as steep as the sensor can show. Clouds of that
    size are blurred over tens of metres.
large, hard and coloured
    up to `LARGE_M2`, red outshines blue, and the bright patch in which it lies ends in a step (a cloud has a penumbra).
    Thick cloud is white; concrete, sand and brick are not.
no brighter than its surroundings, and coloured or dim
    a cloud adds light, most of all in the blue.

Limits. A large white roof is lost. A component that touches a real cloud shares its fate. What the SCL missed stays
missed. Thin cloud of less than 200 m over coloured, textured ground may be kept; that is why the pixels are called
uncertain, and a flag on them says so. SCL 3 (cloud shadow) is never kept: its cloud may lie outside the image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagery.bands import SCL
from imagery.raster import BoolArray, FloatArray

BUFFER_M = 50.0
"""Ground around cloud, shadow and snow that is not used either: five pixels of 10 m."""
SMALL_M2, LARGE_M2 = 40_000.0, 2_000_000.0
"""Largest component, m2, that may be a roof or a ship of any colour; that may be paved or bare ground."""
BRIGHTER = 0.03
"""Reflectance by which a small object outshines its surroundings."""
CLOUD_LIGHT = 0.02
"""Reflectance that even a thin cloud adds in the blue."""
STEEP = 0.3
"""Steepest slope per 10 m, as a share of the whole step: a sharp edge behind the sensor's blur of about 5 m shows 0.4
to 0.5 (0.3 after one resampling), an edge blurred with a sigma of 20 m shows 0.2."""
STEP = 0.6
"""Share of the whole step between 10 m inside the outline and 20 m outside it: a paved edge 0.9, an edge blurred with a
sigma of 30 m 0.4."""
WHITE = 0.85
"""Blue over red from which a surface may be cloud: concrete 0.7, soil and sand 0.5 to 0.65, cloud 0.9 to 1.1."""
DIM = 0.15
"""Blue under which a surface of any colour is no thick cloud (0.25 and more): asphalt, water."""
THICK, THICK_SHARE = 0.2, 0.1
"""Blue from which a white pixel is thick cloud, a roof or an aircraft; the last two fill less of a large component."""
VISIBLE = ("B02", "B03", "B04")

_KEPT_CLASSES = (SCL.CLOUD_MEDIUM, SCL.CLOUD_HIGH, SCL.CIRRUS, SCL.SNOW)


@dataclass(frozen=True, kw_only=True)
class _Scenery:
    """The images that the guard looks at, all (row, col); NaN where there are no data."""

    brightness: FloatArray
    """Mean of the visible bands."""
    blue: FloatArray
    red: FloatArray
    slope: FloatArray
    """Of the brightness, per 10 m, 0 where unknown."""
    clear: BoolArray
    """Has data and is called neither cloud nor snow."""
    gsd: float

    def crop(self, spot: tuple[slice, slice]) -> _Scenery:
        return _Scenery(
            brightness=self.brightness[spot],
            blue=self.blue[spot],
            red=self.red[spot],
            slope=self.slope[spot],
            clear=self.clear[spot],
            gsd=self.gsd,
        )


def _scenery(reflectance: FloatArray, bands: Sequence[str], clear: BoolArray, gsd: float) -> _Scenery:
    unknown = np.full(clear.shape, np.nan, np.float32)
    named = dict(zip(bands, reflectance, strict=True))
    brightness = np.mean([named[name] for name in VISIBLE if name in named] or list(reflectance), axis=0)
    down, across = np.gradient(brightness)
    slope = np.nan_to_num(np.hypot(down, across) * (10.0 / gsd))
    return _Scenery(
        brightness=brightness.astype(np.float32),
        blue=named.get("B02", unknown),
        red=named.get("B04", unknown),
        slope=slope.astype(np.float32),
        clear=clear & np.isfinite(brightness),
        gsd=gsd,
    )


def _is_ground(component: BoolArray, scenery: _Scenery) -> bool:
    """Return whether a component (row, col) of the SCL's cloud or snow looks like hard or coloured ground."""
    import cv2

    area = np.count_nonzero(component) * scenery.gsd**2
    outside = cv2.distanceTransform((~component).astype(np.uint8), cv2.DIST_L2, 5) * scenery.gsd
    around = scenery.clear & (outside > 60) & (outside <= 150)
    inside = component & np.isfinite(scenery.brightness)
    if area > LARGE_M2 or not around.any() or not inside.any():
        return False
    far = float(np.median(scenery.brightness[around]))
    if area <= SMALL_M2:
        near = outside <= 30
        peak = float(np.quantile(scenery.brightness[inside], 0.95)) - far
        if peak >= BRIGHTER and float(scenery.slope[near].max()) >= STEEP * peak:
            return True
    reds, blues = scenery.red[inside], scenery.blue[inside]
    if np.mean((blues > THICK) & (blues >= WHITE * reds)) > THICK_SHARE:
        return False
    red, blue = float(np.median(reds)), float(np.median(blues))
    # Unknown colours are NaN, which compares as False: without red and blue nothing large is kept.
    coloured = blue < WHITE * red
    added = blue - float(np.median(scenery.blue[around]))
    if added < CLOUD_LIGHT and (coloured or blue < DIM):
        return True
    return coloured and _has_hard_outline(component, scenery, far=far)


def _has_hard_outline(component: BoolArray, scenery: _Scenery, *, far: float) -> bool:
    """Return whether the bright patch that holds the component ends in a step, wherever the SCL drew its own line."""
    import cv2
    from scipy import ndimage

    known = np.isfinite(scenery.brightness)
    whole = float(np.quantile(scenery.brightness[known & component], 0.75)) - far
    if whole <= 0:
        return False
    labels, _ = ndimage.label(known & (scenery.brightness > far + whole / 2))
    touched = np.unique(labels[component])
    patch = np.isin(labels, touched[touched > 0])
    inward = cv2.distanceTransform(patch.astype(np.uint8), cv2.DIST_L2, 5) * scenery.gsd
    outward = cv2.distanceTransform((~patch).astype(np.uint8), cv2.DIST_L2, 5) * scenery.gsd
    rim, beyond = known & (inward > 0) & (inward <= 20), known & (outward > 10) & (outward <= 30)
    if not rim.any() or not beyond.any():
        return False
    step = float(scenery.brightness[rim].mean()) - float(scenery.brightness[beyond].mean())
    return step >= STEP * whole


def _ground_called_cloud(cloud: BoolArray, scenery: _Scenery) -> BoolArray:
    """Return the components of `cloud` that the guard keeps, (row, col)."""
    from scipy import ndimage

    labels, _ = ndimage.label(cloud, structure=np.ones((3, 3)))
    kept = np.zeros(cloud.shape, np.bool_)
    margin = math.ceil(160 / scenery.gsd)
    for label, (rows, cols) in enumerate(ndimage.find_objects(labels), start=1):
        spot = (
            slice(max(rows.start - margin, 0), rows.stop + margin),
            slice(max(cols.start - margin, 0), cols.stop + margin),
        )
        component = labels[spot] == label
        if _is_ground(component, scenery.crop(spot)):
            kept[spot] |= component
    return kept


def _grown(mask: BoolArray, radius_m: float, gsd: float) -> BoolArray:
    """Return `mask` (row, col) with all pixels whose centres lie within `radius_m` of one of its pixels."""
    if not mask.any():
        return mask
    import cv2

    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance * gsd <= radius_m)


def classify_validity(
    scl: NDArray[np.generic], reflectance: FloatArray, bands: Sequence[str], gsd: float
) -> tuple[BoolArray, BoolArray]:
    """Return which pixels of a Sentinel-2 L2A image can be used, and which of these are in doubt.

    Parameters
    ----------
    scl
        (row, col) classes of the scene classification; see `imagery.bands.SCL`.
    reflectance
        (band, row, col); NaN where a band has no data or is saturated.
    bands
        Names in the order of `reflectance`.
    gsd
        Pixel spacing, metres.

    Returns
    -------
    valid
        (row, col) True = usable: data in every band, and at least `BUFFER_M` from cloud, shadow and snow.
    uncertain
        (row, col) True = usable, but called cloud, snow or saturated by the SCL (see the module's text).
    """
    classes = np.asarray(scl)
    complete = np.isfinite(reflectance).all(axis=0) & (classes != SCL.NO_DATA)
    cloud = np.isin(classes, _KEPT_CLASSES)
    doubtful = classes == SCL.SATURATED
    dropped = classes == SCL.CLOUD_SHADOW
    if cloud.any():
        kept = _ground_called_cloud(cloud, _scenery(reflectance, bands, complete & ~cloud, gsd))
        doubtful |= kept
        dropped |= cloud & ~kept
    valid = complete & ~_grown(dropped, BUFFER_M, gsd)
    return valid, valid & doubtful


def bound_validity(scl: NDArray[np.generic], gsd: float) -> tuple[BoolArray, BoolArray]:
    """Return which pixels `classify_validity` keeps whatever the bands show, and which it can keep at most.

    Parameters
    ----------
    scl
        (row, col) classes on the grid.
    gsd
        Pixel spacing, metres.

    Returns
    -------
    usable
        (row, col) True = has a class, and lies at least `BUFFER_M` from cloud, shadow and snow.
    possible
        (row, col) True = usable where every component of cloud or snow that is small enough to be ground is ground.
        Bands may have gaps of their own in either.
    """
    from scipy import ndimage

    classes = np.asarray(scl)
    known, shadow = classes != SCL.NO_DATA, classes == SCL.CLOUD_SHADOW
    cloud = np.isin(classes, _KEPT_CLASSES)
    labels, _ = ndimage.label(cloud, structure=np.ones((3, 3)))
    large = np.bincount(labels.ravel()) * gsd**2 > LARGE_M2
    large[0] = False
    usable = known & ~_grown(cloud | shadow, BUFFER_M, gsd)
    return usable, known & ~_grown(large[labels] | shadow, BUFFER_M, gsd)
