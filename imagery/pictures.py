"""Pictures that a server renders: which script draws what, how a grid is cut to its largest size, what came back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from aoi import Grid
from imagery.bands import CLASSES_BAND, SCL, SENTINEL1_BANDS
from imagery.errors import BadAnswerError, RefusedFileError, SceneError
from imagery.exchange import MIB
from imagery.files import Blob
from imagery.opening import crs_name, open_raster
from imagery.patch import Patch
from imagery.processing_units import FLOAT_FACTOR, TERRAIN_CORRECTED, picture_units
from imagery.raster import BoolArray

MOST_PX = 2500
"""Rows or columns of one picture of the Process API (its documentation)."""
PRESENT_BAND = "dataMask"
"""Name under which Sentinel Hub gives 1 where there are data and 0 where there are none."""


@dataclass(frozen=True, kw_only=True)
class Script:
    """A file of this package that says what a picture holds; nothing that a user writes goes into one."""

    name: str
    """Of the file in `imagery/evalscripts`, without its ending."""
    layers: tuple[str, ...]
    """What the picture holds, in this order; the last is `PRESENT_BAND`."""
    dtype: str
    factor: float = 1.0
    """Of its cost, see `imagery.processing_units`."""

    @property
    def text(self) -> str:
        """The script itself."""
        return _text(self.name)

    def most_bytes(self, grid: Grid) -> int:
        """Return how long a TIFF of `grid` can be: its numbers as they are, and a tenth more for what frames them."""
        return int(1.1 * grid.width * grid.height * len(self.layers) * np.dtype(self.dtype).itemsize) + MIB

    def units(self, grid: Grid) -> float:
        """Return what a picture of `grid` costs, in all the pieces it takes, processing units."""
        return sum(picture_units(piece.grid.shape, len(self.layers) - 1, factor=self.factor) for piece in cut(grid))


_FINE = ("B02", "B03", "B04", "B08")
_ALL = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")

OPTICAL = Script(name="sentinel-2-l2a", layers=(*_FINE, CLASSES_BAND, PRESENT_BAND), dtype="uint16")
OPTICAL_ALL = Script(name="sentinel-2-l2a-all", layers=(*_ALL, CLASSES_BAND, PRESENT_BAND), dtype="uint16")
CLASSES = Script(name="sentinel-2-l2a-classes", layers=(CLASSES_BAND, PRESENT_BAND), dtype="uint8")
RADAR = Script(
    name="sentinel-1-grd",
    layers=(*SENTINEL1_BANDS, PRESENT_BAND),
    dtype="float32",
    factor=FLOAT_FACTOR * TERRAIN_CORRECTED,
)
BANDS = {"s2": _ALL, "s1": SENTINEL1_BANDS}
"""By sensor: what can be read."""


@cache
def _text(name: str) -> str:
    return (files("imagery") / "evalscripts" / f"{name}.js").read_text(encoding="utf-8")


def script_for(sensor: str, bands: Sequence[str]) -> Script:
    """Return the cheapest script that holds `bands` of a sensor.

    Raises
    ------
    SceneError
        Where none does.
    """
    scripts = (OPTICAL, OPTICAL_ALL) if sensor == "s2" else (RADAR,)
    held = set(BANDS[sensor])
    if not set(bands) <= held or not bands:
        raise SceneError(f"bands {', '.join(bands) or 'none'} are asked for; there are {', '.join(sorted(held))}")
    return next(script for script in scripts if set(bands) <= set(script.layers))


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of a grid that is asked for at once."""

    grid: Grid
    spot: tuple[slice, slice]
    """Its (rows, cols) in the whole."""


def cut(grid: Grid, most_px: int = MOST_PX) -> tuple[Piece, ...]:
    """Cut a grid on whole pixels into pieces of at most `most_px` rows and columns, by rows; they do not overlap."""
    return tuple(_cut(grid, most_px))


def _cut(grid: Grid, most_px: int) -> Iterator[Piece]:
    for top in range(0, grid.height, most_px):
        for left in range(0, grid.width, most_px):
            rows, cols = min(most_px, grid.height - top), min(most_px, grid.width - left)
            t = grid.transform
            corner = Affine(t.a, 0.0, t.c + left * t.a, 0.0, t.e, t.f + top * t.e)
            part = Grid(crs=grid.crs, transform=corner, width=cols, height=rows)
            yield Piece(grid=part, spot=np.s_[top : top + rows, left : left + cols])


def coarser(grid: Grid, factor: int) -> Grid:
    """Return a grid from the same corner with pixels `factor` times as large, that covers all of `grid`."""
    t = grid.transform
    return Grid(
        crs=grid.crs,
        transform=Affine(t.a * factor, 0.0, t.c, 0.0, t.e * factor, t.f),
        width=math.ceil(grid.width / factor),
        height=math.ceil(grid.height / factor),
    )


def finer(values: NDArray[Any], factor: int, shape: tuple[int, int]) -> NDArray[Any]:
    """Return values (row, col) of `coarser` on the pixels of the grid it was made from, of `shape`."""
    return values.repeat(factor, axis=0).repeat(factor, axis=1)[: shape[0], : shape[1]]


def picture_patch(numbers: NDArray[Any], present: BoolArray, grid: Grid) -> Patch:
    """Return one layer of a picture, (row, col), as what `grid` needs of a band; what is not finite is absent."""
    held = present & np.isfinite(numbers)
    return Patch(
        numbers=np.where(held, numbers, 0).astype(np.float32),
        present=held,
        crs=grid.crs,
        transform=grid.transform,
        dtype=str(numbers.dtype),
        on_grid=True,
        widening=(1.0, 1.0),
    )


def picture_classes(layers: Mapping[str, NDArray[Any]], present: BoolArray) -> NDArray[np.uint8]:
    """Return the scene classification of a picture, (row, col); SCL.NO_DATA where there are no data."""
    return np.where(present, layers[CLASSES_BAND], SCL.NO_DATA).astype(np.uint8)


def decode_picture(content: bytes, piece: Grid, script: Script) -> NDArray[Any]:
    """Return the numbers of a rendered picture, (layer, row, col), having checked everything that can be wrong with it.

    Parameters
    ----------
    content
        The answer's body.
    piece
        The grid that was asked for.
    script
        What was asked for.

    Raises
    ------
    BadAnswerError
        Where it is no TIFF, damaged, of another size, type, number of layers or place than was asked for, or holds
        numbers that its layers cannot have.
    """
    try:
        with open_raster(Blob(name="the picture", content=content)) as dataset:
            for problem in _problems(dataset, piece, script):
                raise BadAnswerError(f"the picture {problem}")
            numbers: NDArray[Any] = dataset.read()
    except RefusedFileError as error:
        raise BadAnswerError(f"{error}; {_begins(content)}") from error
    _check_numbers(numbers, script)
    return numbers


def _problems(dataset: Any, piece: Grid, script: Script) -> Iterator[str]:
    if dataset.count != len(script.layers):
        yield f"has {dataset.count} layers; asked for were {len(script.layers)}: {', '.join(script.layers)}"
    kinds = sorted(set(dataset.dtypes))
    if kinds != [script.dtype]:
        yield f"holds {', '.join(kinds)} numbers; asked for were {script.dtype}"
    if (dataset.height, dataset.width) != piece.shape:
        yield f"has {dataset.height} x {dataset.width} px; asked for were {piece.height} x {piece.width}"
    if crs_name(dataset.crs) != piece.crs:
        yield f"lies in {crs_name(dataset.crs)[:40]}; asked for was {piece.crs}"
    # A thousandth of a pixel is rounding of the file's own numbers.
    have, want = tuple(dataset.transform)[:6], tuple(piece.transform)[:6]
    if any(abs(one - other) > piece.gsd * 1e-3 for one, other in zip(have, want, strict=True)):
        yield f"lies at {have}; asked for was {want}"


def _check_numbers(numbers: NDArray[Any], script: Script) -> None:
    layers = dict(zip(script.layers, numbers, strict=True))
    present = layers[PRESENT_BAND]
    if not np.isin(present, (0, 1)).all():
        raise BadAnswerError(f"the picture's {PRESENT_BAND} holds {present.max():g}; it is 0 or 1")
    if CLASSES_BAND in layers and layers[CLASSES_BAND].max() > max(SCL):
        raise BadAnswerError(
            f"the picture's {CLASSES_BAND} holds {layers[CLASSES_BAND].max()}; known are 0 to {max(SCL)}"
        )
    here = present == 1
    if here.any() and not np.isfinite(numbers[:, here]).any(axis=0).any():
        raise BadAnswerError("the picture holds no finite number where it says that there are data")


def _begins(content: bytes) -> str:
    """Return what a body looks like, in words."""
    head = content[:200].lstrip().lower()
    if head.startswith((b"<!doctype html", b"<html")):
        return "it is an HTML page, such as a proxy or a login sends"
    if head.startswith((b"{", b"[")):
        return "it is JSON, such as a server sends with an error"
    return f"{len(content):,} bytes came"
