"""Rendered pictures: the scripts that ask for them, and how a grid is cut and put together again."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from aoi import Grid
from imagery.bands import SENTINEL2_BANDS
from imagery.errors import SceneError
from imagery.pictures import CLASSES, OPTICAL, OPTICAL_ALL, RADAR, Script, coarser, cut, finer, script_for

SCRIPTS = (OPTICAL, OPTICAL_ALL, CLASSES, RADAR)


def grid_of(width: int, height: int, gsd: float = 10) -> Grid:
    transform = Affine(gsd, 0, 700_000, 0, -gsd, 3_900_000)
    return Grid(crs="EPSG:32636", transform=transform, width=width, height=height)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_reads_and_gives_the_layers_that_are_expected_of_it(script: Script) -> None:
    assert script.text.startswith("//VERSION=3\n")
    (listed,) = re.findall(r"bands: \[([^\]]*)\]", script.text)
    assert tuple(json.loads(f"[{listed}]")) == script.layers
    (given_back,) = re.findall(r"return \[([^\]]*)\];", script.text)
    assert tuple(re.findall(r"sample\.(\w+)", given_back)) == script.layers
    assert f'bands: {len(script.layers)}, sampleType: "{script.dtype.upper()}"' in script.text
    assert script.layers[-1] == "dataMask"
    assert ("units" in script.text) == (script is not RADAR)


@pytest.mark.skipif(not shutil.which("node"), reason="no JavaScript to run the scripts with")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_runs(script: Script) -> None:
    sample = {name: number for number, name in enumerate(script.layers)}
    ask = f"{script.text}\nconsole.log(JSON.stringify([setup(), evaluatePixel({json.dumps(sample)})]));"
    done = subprocess.run(["node", "-e", ask], capture_output=True, text=True, check=True)
    setup, pixel = json.loads(done.stdout)
    assert setup["input"][0]["bands"] == list(script.layers)
    assert setup["output"] == {"id": "default", "bands": len(script.layers), "sampleType": script.dtype.upper()}
    assert pixel == list(range(len(script.layers)))


def test_the_cheapest_script_that_holds_the_bands_is_taken() -> None:
    assert script_for("s2", ["B08", "B02"]) is OPTICAL
    assert script_for("s2", ["B02", "B11"]) is OPTICAL_ALL
    assert script_for("s1", ["VH"]) is RADAR
    # Level 2A has no B10.
    assert set(OPTICAL_ALL.layers) - {"SCL", "dataMask"} == set(SENTINEL2_BANDS) - {"B10"}


@pytest.mark.parametrize(("sensor", "bands"), [("s2", ["B10"]), ("s2", []), ("s2", ["SCL"]), ("s1", ["HH"])])
def test_bands_that_are_not_there_are_named(sensor: str, bands: list[str]) -> None:
    with pytest.raises(SceneError, match=bands[0] if bands else "none"):
        script_for(sensor, bands)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 15))
def test_pieces_cover_a_grid_once_and_lie_where_it_lies(width: int, height: int, most_px: int) -> None:
    grid = grid_of(width, height)
    seen = np.zeros(grid.shape, int)
    for piece in cut(grid, most_px):
        seen[piece.spot] += 1
        assert max(piece.grid.shape) <= most_px
        assert seen[piece.spot].shape == piece.grid.shape
        rows, cols = piece.spot
        assert (piece.grid.transform.c, piece.grid.transform.f) == (
            700_000 + 10 * cols.start,
            3_900_000 - 10 * rows.start,
        )
    assert (seen == 1).all()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 6))
def test_a_coarser_grid_covers_and_comes_back(width: int, height: int, factor: int) -> None:
    grid = grid_of(width, height)
    coarse = coarser(grid, factor)
    assert coarse.gsd == factor * grid.gsd
    rows, cols = np.indices(coarse.shape)
    fine_rows, fine_cols = np.indices(grid.shape)
    np.testing.assert_array_equal(finer(rows, factor, grid.shape), fine_rows // factor)
    np.testing.assert_array_equal(finer(cols, factor, grid.shape), fine_cols // factor)


def test_radar_costs_what_the_documentation_computes() -> None:
    assert RADAR.units(grid_of(2048, 2048)) == pytest.approx(16 * 2 / 3 * 2 * 2.5)
    assert OPTICAL.units(grid_of(512, 512)) == pytest.approx(5 / 3)
    assert CLASSES.units(grid_of(128, 128)) == pytest.approx(1 / 16 / 3)
