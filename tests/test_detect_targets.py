"""The object catalogue: true sizes, sound outlines, exact cover."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from shapely.geometry import Polygon, box

from detect import outlines
from detect.errors import DetectError
from detect.targets import CATALOGUE, ObjectClass, object_class, silhouette

REQUIRED = {
    "An-124",
    "Il-76",
    "Il-62",
    "Tu-154",
    "An-26",
    "An-72",
    "Su-24",
    "Su-34",
    "Su-35",
    "Ka-52",
    "Mi-8",
    "launcher",
    "lorry",
    "ship-25m",
    "ship-75m",
    "ship-120m",
}
every_class = pytest.mark.parametrize("model", CATALOGUE.values(), ids=CATALOGUE.keys())


def test_all_classes_are_there_and_say_where_their_sizes_come_from() -> None:
    assert set(CATALOGUE) == REQUIRED
    assert all(len(model.source) > 20 for model in CATALOGUE.values())


@every_class
def test_an_outline_has_the_size_of_its_class(model: ObjectClass) -> None:
    shape = Polygon(model.outline)
    assert shape.is_valid
    west, south, east, north = shape.bounds
    assert (east - west, north - south) == pytest.approx((model.width_m, model.length_m), abs=0.01)
    assert (east, north) == pytest.approx((model.width_m / 2, model.length_m / 2), abs=0.01)


@every_class
@pytest.mark.parametrize("cell_m", [2.0, 0.5])
def test_the_cover_of_a_silhouette_is_exact(model: ObjectClass, cell_m: float) -> None:
    cover = silhouette(model, 37.0, cell_m=cell_m, offset_m=(0.3, -0.7))
    body = outlines.area(model.outline)
    blades = np.pi / 4 * model.rotor.diameter_m**2 * model.rotor.solidity if model.rotor else 0.0
    assert cover.min() >= 0
    assert cover.max() <= 1
    assert body - 0.1 <= cover.sum() * cell_m**2 <= body + blades + 0.1
    assert cover.sum() * cell_m**2 == pytest.approx(model.planform_m2, rel=0.003)


def test_cover_agrees_with_an_independent_polygon_clipper() -> None:
    corners = outlines.placed(CATALOGUE["Su-34"].outline, 152.0, (12.3, -13.1)) * [1, -1]
    shape = Polygon(corners)
    cover = outlines.cover(corners, (26, 25))
    expected = [[shape.intersection(box(c, r, c + 1, r + 1)).area for c in range(25)] for r in range(26)]
    np.testing.assert_allclose(cover, expected, atol=1e-6)


def test_the_nose_points_to_the_heading() -> None:
    cover = silhouette(CATALOGUE["ship-75m"], 90.0, cell_m=1.0)
    _, cols = np.nonzero(cover)
    middle = len(cover) // 2
    rows_at_bow = np.count_nonzero(cover[:, cols.max() - 1])
    assert cols.max() - middle == pytest.approx(37, abs=1)
    assert rows_at_bow < np.count_nonzero(cover[:, cols.min() + 1])


@pytest.mark.parametrize(("name", "wing_m2"), [("An-124", 628), ("Il-76", 300), ("Il-62", 280), ("Tu-154", 201)])
def test_a_transport_covers_more_than_its_wing_and_less_than_twice_it(name: str, wing_m2: float) -> None:
    assert wing_m2 < CATALOGUE[name].planform_m2 < 2 * wing_m2


def test_reflectances_run_through_the_range_of_their_family() -> None:
    model = CATALOGUE["Ka-52"]
    low, high = (model.reflectance(["B04", "B08"], level) for level in (0.0, 1.0))
    assert (low[0], high[0]) == pytest.approx(model.visible)
    assert (low[1], high[1]) == pytest.approx(model.near_infrared)
    with pytest.raises(DetectError, match=r"between 0 and 1, not at 1\.5"):
        model.reflectance(["B04"], 1.5)


def test_classes_are_found_whatever_the_case() -> None:
    assert object_class(" an-124 ").name == "An-124"
    with pytest.raises(DetectError, match="no object 'An-225'; it has An-124, Il-76"):
        object_class("An-225")


@pytest.mark.parametrize(("name", "theirs"), [("Il-76", "IL-76MD"), ("An-26", "An-26B"), ("Su-34", "Su-34")])
def test_sizes_agree_with_a_second_source(name: str, theirs: str) -> None:
    folder = os.environ.get("REVISIT_TEST_DATA")
    if not folder:
        pytest.skip("REVISIT_TEST_DATA does not name a folder with the reference data")
    with Path(folder, "ground", "aircraft_dims_pydcs.csv").open(encoding="utf-8") as lines:
        row = next(r for r in csv.DictReader(lines) if r["id"] == theirs)
    sizes = float(row["length_m"]), float(row["width_or_span_m"])
    assert sizes == pytest.approx((CATALOGUE[name].length_m, CATALOGUE[name].width_m), abs=0.1)


@every_class
def test_the_documents_show_the_catalogue_as_it_is(model: ObjectClass) -> None:
    table = Path(__file__).parents[1].joinpath("docs", "targets.md").read_text(encoding="utf-8")
    rotor = f"; rotor {model.rotor.diameter_m:g} m" if model.rotor else ""
    sizes = f"{model.length_m:g} | {model.width_m:g}{rotor} | {model.height_m:g} | {model.planform_m2:.0f}"
    assert f"| {model.name} | {model.kind} | {sizes} |" in table
    assert model.source in table
