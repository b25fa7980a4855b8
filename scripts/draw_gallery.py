"""Maintainers: makes the pictures of docs/gallery.md from real imagery, and that of the demo.

    REVISIT_TEST_DATA=FOLDER python scripts/draw_gallery.py          # all of them, some three minutes
    python scripts/draw_gallery.py --demo                            # docs/images/demo.jpg alone

FOLDER holds `crops_utm`, Sentinel-2 L1C crops of three places. Each place is imported, compared and drawn as any user's
would be; the pictures of pages are taken with Chromium.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import rasterio
import shapely
from PIL import Image
from playwright.sync_api import sync_playwright

from aoi import AOI
from aoi.geojson import write_area
from aoi.geometry import to_lonlat

TARGET = Path(__file__).parents[1] / "docs" / "images"
BANDS = ("B02", "B03", "B04", "B08")
WIDTH, QUALITY = 1280, 76
START = "from revisit.cli.main import main; main()"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place of the gallery."""

    name: str
    before: str
    after: str
    zones: bool


PLACES = (
    Place(name="beirut_airport", before="2015-08-20", after="2017-10-03", zones=True),
    Place(name="beirut_port", before="2015-08-20", after="2017-10-03", zones=False),
    Place(name="pisa_airport", before="2015-07-04", after="2018-02-11", zones=True),
)


def _revisit(*arguments: str | Path) -> None:
    """Run a command of ours."""
    command = [sys.executable, "-c", START, *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own


def _import(crop: Path, day: str, folder: Path) -> None:
    """Make a scene of a crop."""
    with rasterio.open(crop, driver="GTiff") as source:
        profile = {**source.profile, "count": 1}
        for number, band in enumerate(BANDS, start=1):
            with rasterio.open(folder / f"{day}-{band}.tif", "w", **profile) as target:
                target.write(source.read(number), 1)
    files = [folder / f"{day}-{band}.tif" for band in BANDS]
    options = ("--sensor", "s2", "--bands", ",".join(BANDS), "--date", day, "--scale", "0.0001", "--offset", "0")
    _revisit("import", *files, *options, "--nodata", "0", "-o", folder / "scenes")


def _area(place: Place, crops: Path, folder: Path) -> Path:
    """Return an area file: the one with zones, else the crop without its rim."""
    path = folder / f"{place.name}.geojson"
    if place.zones:
        shutil.copy(crops / f"{place.name}_zones.geojson", path)
        return path
    day = place.before.replace("-", "")
    with rasterio.open(crops / f"{place.name}_S2L1C_{day}.tif", driver="GTiff") as source:
        ground = shapely.box(*source.bounds).buffer(-100)
        write_area(AOI(name=place.name, geometry=to_lonlat(ground, source.crs.to_string()), zones=()), path)
    return path


def _compare(place: Place, crops: Path, folder: Path) -> Path:
    """Return the run of a place."""
    folder.mkdir()
    for day in (place.before, place.after):
        _import(crops / f"{place.name}_S2L1C_{day.replace('-', '')}.tif", day, folder)
    run = folder / "run"
    dates = ("--before", place.before, "--after", place.after)
    _revisit("compare", _area(place, crops, folder), *dates, "--source", f"folder:{folder / 'scenes'}", "-o", run)
    return run


def _save(picture: Image.Image, name: str, width: int = WIDTH) -> None:
    """Write a picture, downsampled."""
    height = round(picture.height * width / picture.width)
    small = picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    small.save(TARGET / name, "JPEG", quality=QUALITY, optimize=True)
    print(TARGET / name, (TARGET / name).stat().st_size, "bytes")


def _photograph(run: Path) -> None:
    """Take pictures of the report with a flag chosen, light and dark."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"))
        for scheme in ("light", "dark"):
            window = {"width": 1400, "height": 1000}
            page = browser.new_page(viewport=window, color_scheme=scheme)  # type: ignore[arg-type]
            page.goto((run / "report.html").as_uri())
            page.locator("#list button").nth(1).click()
            page.locator("#instrument").scroll_into_view_if_needed()
            page.evaluate("() => document.getElementById('instrument').scrollIntoView()")
            page.wait_for_timeout(500)
            _save(Image.open(io.BytesIO(page.screenshot())), f"report-{scheme}.jpg")
        browser.close()


def _phone(run: Path) -> None:
    """Take a picture of the report's first screen on a phone, light and dark side by side."""
    screens = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"))
        for scheme in ("light", "dark"):
            window = {"width": 375, "height": 812}
            page = browser.new_page(viewport=window, color_scheme=scheme, device_scale_factor=2)  # type: ignore[arg-type]
            page.goto((run / "report.html").as_uri())
            page.wait_for_timeout(500)
            screens.append(Image.open(io.BytesIO(page.screenshot())))
        browser.close()
    both = Image.new("RGB", (screens[0].width * 2 + 40, screens[0].height), "#8a9097")
    for number, screen in enumerate(screens):
        both.paste(screen, (number * (screen.width + 40), 0))
    _save(both, "report-phone.jpg", width=900)


def _demo(folder: Path) -> None:
    """Make the picture of the demo."""
    _revisit("demo", "-o", folder / "demo")
    _revisit("export", folder / "demo", "--format", "png", "-o", folder / "demo.png")
    _save(Image.open(folder / "demo.png"), "demo.jpg")


def _gallery() -> None:
    """Make the pictures of real places, and of the report of the first."""
    crops = Path(os.environ["REVISIT_TEST_DATA"]) / "crops_utm"
    with tempfile.TemporaryDirectory() as name:
        runs = [_compare(place, crops, Path(name) / place.name) for place in PLACES]
        for place, run in zip(PLACES, runs, strict=True):
            sheet = run.parent / "sheet.png"
            _revisit("export", run, "--format", "png", "-o", sheet)
            _save(Image.open(sheet), f"gallery-{place.name.replace('_', '-')}.jpg")
        _photograph(runs[0])
        _phone(runs[0])


def main() -> None:
    """Make the pictures that are asked for."""
    with tempfile.TemporaryDirectory() as name:
        _demo(Path(name))
    if "--demo" not in sys.argv[1:]:
        _gallery()


if __name__ == "__main__":
    main()
