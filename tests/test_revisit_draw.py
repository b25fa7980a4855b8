"""Drawing an area in a browser: what is saved is what was drawn, and nothing else can be saved."""

from __future__ import annotations

import http.client
import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from playwright.sync_api import Browser, expect
from shapely.geometry import Point

from aoi.formats import area_from_point, read_area
from aoi.geometry import to_lonlat
from revisit.errors import UsageError
from revisit.outputs import write_run
from revisit.viewer.draw import basemap
from tests.browsing import launched, serious_findings, visiting
from tests.standin import make_grid, make_result

ROOT = Path(__file__).parents[1]
START = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from revisit.cli.main import main; main()"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return one browser for all tests."""
    with launched() as found:
        yield found


@contextmanager
def drawing(folder: Path, *arguments: str) -> Iterator[str]:
    """Give the address of the page for a new area."""
    command = [sys.executable, "-c", START, "area", "define", "drawn", "--draw", *arguments]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)
        process.stdout.close()


def _post(address: str, body: bytes, **headers: str) -> tuple[int, bytes]:
    """Return the answer to a drawing."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=20)
    connection.request("POST", f"{parts.path}save", body, headers)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def test_a_zone_is_drawn_over_the_newest_picture_and_saved(browser: Browser, tmp_path: Path) -> None:
    write_run(make_result(), tmp_path / "runs" / "one")
    with drawing(tmp_path) as address, visiting(browser, address) as visit:
        page = visit.page
        page.wait_for_function("() => Number(document.getElementById('stage').dataset.k) > 2")
        expect(page.locator("#words")).to_contain_text("2024-12-15 08:22 UTC")
        box = page.locator("#stage").bounding_box()
        assert box
        k = float(visit.data("k"))
        for col, row in ((30, 20), (50, 20), (50, 40), (30, 40)):
            page.mouse.click(
                box["x"] + box["width"] / 2 + (col - 40) * k, box["y"] + box["height"] / 2 + (row - 30) * k
            )
        page.locator("#close").click()
        expect(page.locator("#said")).to_have_text("Give the zone a name first.")
        page.locator("[name=zone]").fill("north stand")
        page.locator("[name=kind]").select_option("hardstand")
        page.locator("#close").click()
        expect(page.locator("#zones")).to_contain_text("north stand (hardstand)")
        page.locator("#save").click()
        expect(page.locator("#said")).to_contain_text("Saved drawn.geojson with 1 zone.")
        assert serious_findings(page) == []
        assert visit.complaints == []
    area = read_area(tmp_path / "drawn.geojson")
    (zone,) = area.zones
    assert (area.name, zone.name, zone.kind, zone.accuracy_m) == ("drawn", "north stand", "hardstand", 20.0)
    assert "2024-12-15" in zone.source
    grid = make_grid()
    west, _, _, north = grid.bounds
    corner = to_lonlat(Point(west + 300, north - 200), grid.crs)
    # A click falls on whole pixels of the screen, k of them a pixel of 10 m.
    assert zone.geometry.exterior.distance(corner) < 10 / k / 80_000


def test_an_outline_is_drawn_with_the_keyboard_alone(browser: Browser, tmp_path: Path) -> None:
    with (
        drawing(tmp_path, "--point", "35.95", "35.40", "--radius", "1km") as address,
        visiting(browser, address) as visit,
    ):
        page = visit.page
        page.wait_for_function("() => Number(document.getElementById('stage').dataset.k) > 0.5")
        page.locator("[name=what]").select_option("area")
        page.locator("#stage").focus()
        for moves in ((), ("ArrowRight",) * 2, ("ArrowDown",) * 2):
            for key in moves:
                page.keyboard.press(key)
            page.keyboard.press("Space")
        expect(page.locator("#state")).to_contain_text("3 corners")
        page.keyboard.press("Enter")
        page.locator("#save").click()
        expect(page.locator("#said")).to_contain_text("Saved drawn.geojson with 0 zones.")
        assert visit.complaints == []
    assert len(read_area(tmp_path / "drawn.geojson").geometry.exterior.coords) == 4


def _sheet(path: Path, crs: str, west: float, north: float, step: float) -> None:
    """Write a basemap of 8 bits: red, with one green pixel at row 30, column 40."""
    bands = np.zeros((3, 80, 100), np.uint8)
    bands[0] = 200
    bands[:, 30, 40] = (0, 200, 0)
    profile = {"driver": "GTiff", "width": 100, "height": 80, "count": 3, "dtype": "uint8", "crs": crs}
    with rasterio.open(path, "w", transform=Affine(step, 0.0, west, 0.0, -step, north), **profile) as target:
        target.write(bands)


@pytest.mark.parametrize(
    ("crs", "west", "north", "step"),
    [("EPSG:32636", 769_000.0, 3_921_000.0, 20.0), ("EPSG:4326", 35.95, 35.41, 0.0002)],
)
def test_a_basemap_of_ones_own_lies_where_it_says(
    tmp_path: Path, crs: str, west: float, north: float, step: float
) -> None:
    _sheet(tmp_path / "own.tif", crs, west, north, step)
    middle = to_lonlat(Point(west + 40.5 * step, north - 30.5 * step), crs)
    aoi = area_from_point("here", middle.x, middle.y, 300.0)
    sheet = basemap(tmp_path / "own.tif", aoi)
    assert sheet.picture
    with Image.open(io.BytesIO(sheet.picture)) as picture:
        colours = np.asarray(picture).astype(int)
    green = np.where(colours[..., 1] > 60, colours[..., 1], 0)
    rows, cols = (np.average(axis, weights=green) for axis in np.indices(green.shape))
    left, _, _, top = sheet.grid.bounds
    across, down = (float(place) + 0.5 for place in (cols, rows))
    placed = to_lonlat(Point(left + across * sheet.grid.gsd, top - down * sheet.grid.gsd), sheet.grid.crs)
    assert placed.distance(middle) < 9 / 90_000  # under half a pixel of the file; metres in a degree
    assert (colours[colours[..., 3] > 0][:, 0] > 150).mean() > 0.95
    with pytest.raises(UsageError, match="shows nothing of far"):
        basemap(tmp_path / "own.tif", area_from_point("far", 30.0, 10.0, 300.0))


def test_only_a_valid_area_is_saved_and_only_from_the_page(tmp_path: Path) -> None:
    with drawing(tmp_path, "--point", "35.95", "35.40", "--radius", "1km") as address:
        bow = [[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]
        crossed = {"type": "Polygon", "coordinates": [bow]}
        for body in (b"", b"[", b'{"type": "Feature"}', json.dumps(crossed).encode()):
            status, answer = _post(address, body)
            assert status == 400
            assert "error" in json.loads(answer)
        assert _post(address, b"x" * 2_000_000)[0] == 413
        assert _post(address, b"{}", Origin="http://evil.example")[0] == 403
        assert _post(address.rsplit("/", 2)[0] + "/wrong/", b"{}")[0] == 404
    assert not (tmp_path / "drawn.geojson").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--draw"], "there is no run"),
        (["--over", "runs", "--wkt", "POLYGON EMPTY"], "--over belongs to --draw"),
        (["--basemap", "a.tif", "--wkt", "POLYGON EMPTY"], "--basemap belongs to --draw"),
    ],
)
def test_what_cannot_be_drawn_is_refused(tmp_path: Path, arguments: list[str], words: str) -> None:
    command = [sys.executable, "-c", START, "area", "define", "drawn", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert words in done.stderr
