"""Exports from a run's folder alone, opened by programs that are not ours."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
import shapely
from fastkml.validator import validate
from lxml import etree
from PIL import Image, ImageSequence
from rasterio.warp import transform as place
from rio_cogeo.cogeo import cog_validate

from revisit.errors import UsageError
from revisit.export.kmz import turned
from revisit.export.pdf import browser, plain_pages
from revisit.export.tables import guarded
from revisit.export.write import FORMATS, export
from revisit.outputs import write_run
from revisit.runs import find_runs, open_run
from tests.attack import hostile_result
from tests.browsing import chromium
from tests.standin import AFTER, BEFORE, blob, make_flags, make_grid, make_raster, make_result

QUERY = """
import json, sys
import pyogrio
layers = {str(name): str(kind) for name, kind in pyogrio.list_layers(sys.argv[1])}
info = {name: pyogrio.read_info(sys.argv[1], layer=name) for name in layers}
found = {name: [int(i["features"]), str(i["crs"])] for name, i in info.items()}
table = pyogrio.raw.read(sys.argv[1], layer="flags")
geometry = table[2][0].hex()
print(json.dumps([layers, found, geometry, [str(name) for name in table[0]["fields"]]]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run's folder with two flags."""
    flags = make_flags([blob(10, 10), blob(30, 60, side=5, change="vanished", scale="area")], zone="apron-north")
    return write_run(make_result(flags=flags), tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run's folder whose names are attacks."""
    return write_run(hostile_result(), tmp_path_factory.mktemp("hostile") / "run")


def _said(program: str, package: str, *arguments: str | Path) -> str:
    """Return what another program says of an export, or skip."""
    if not shutil.which(program):
        pytest.skip(f"{program} (Debian's {package}) is not installed")
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("GDAL_", "CPL_"))}
    command = [program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=usual).stdout


def _written(folder: Path, out: Path, name: str) -> Path:
    """Return the file of an export."""
    return export(folder, name, out / f"out{FORMATS[name].suffix}")[0]


def test_a_geopackage_opens_elsewhere_with_its_layers_and_styles(folder: Path, tmp_path: Path) -> None:
    path = _written(folder, tmp_path, "gpkg")
    # A process of its own: this one has GDAL's drivers closed, and pyogrio brings another GDAL.
    done = subprocess.run([sys.executable, "-c", QUERY, path], capture_output=True, text=True, check=True)
    layers, found, geometry, fields = json.loads(done.stdout)
    assert {name: layers[name] for name in ("area", "zones", "flags")} == dict.fromkeys(
        ("area", "zones", "flags"), "MultiPolygon"
    )
    assert found["flags"] == [2, "EPSG:4326"]
    assert found["zones"][0] == 1
    assert {"id", "change", "p_value", "candidates", "notice"} <= set(fields)
    flag = open_run(folder).flags[0].geometry
    assert shapely.equals_exact(shapely.get_parts(shapely.from_wkb(geometry))[0], flag, 1e-12)
    with sqlite3.connect(path) as connection:
        styles = dict(connection.execute("SELECT f_table_name, styleQML FROM layer_styles WHERE useAsDefault = 1"))
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    assert set(styles) == {"area", "zones", "flags"}
    categories = etree.fromstring(styles["flags"].encode()).findall(".//category")
    assert [entry.get("value") for entry in categories] == ["appeared", "vanished", "altered"]
    assert path.with_suffix(".qml").read_text() == styles["flags"]


def test_a_table_has_a_row_a_flag(folder: Path, tmp_path: Path) -> None:
    text = _written(folder, tmp_path, "csv").read_text(encoding="utf-8-sig")
    first, second = csv.DictReader(io.StringIO(text))
    assert (first["id"], first["change"], second["scale"]) == ("F1", "appeared", "area")
    grid = make_grid()
    lon, lat = place(grid.crs, "EPSG:4326", [770110], [3919890])
    assert float(first["lon"]) == pytest.approx(lon[0], abs=2e-6)
    assert float(first["lat"]) == pytest.approx(lat[0], abs=2e-6)
    assert first["notice"] == "Contains modified Copernicus Sentinel data 2024"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_of_text_is_a_formula(text: str) -> None:
    assert str(guarded(text)).startswith("'")
    assert guarded(-0.5) == -0.5
    assert guarded("apron - north") == "apron - north"


def test_hostile_names_are_inert_in_every_text(hostile: Path, tmp_path: Path) -> None:
    text = _written(hostile, tmp_path, "csv").read_text(encoding="utf-8-sig")
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row if cell]
    numbers = [cell for cell in cells if cell.lstrip("-").replace(".", "").isdigit()]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t")) and cell not in numbers]
    document = json.loads(_written(hostile, tmp_path, "geojson").read_text())
    assert len(document["features"]) == 8
    with zipfile.ZipFile(_written(hostile, tmp_path, "kmz")) as archive:
        root = etree.fromstring(archive.read("doc.kml"))
    assert {etree.QName(node).localname for node in root.iter()}.isdisjoint({"script", "img"})
    assert _written(hostile, tmp_path, "gpkg").stat().st_size > 0


def test_a_kmz_follows_its_schema_and_lies_where_it_should(folder: Path, tmp_path: Path) -> None:
    path = _written(folder, tmp_path, "kmz")
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["doc.kml", "files/before.png", "files/after.png"]
        archive.extractall(tmp_path)
    assert validate(file_to_validate=tmp_path / "doc.kml")
    root = etree.parse(tmp_path / "doc.kml").getroot()
    names = {"k": "http://www.opengis.net/kml/2.2"}
    spans = [node.text for node in root.findall(".//k:GroundOverlay/k:TimeSpan/*", names)]
    assert spans == ["2024-11-30T08:23:11Z", "2024-12-15T08:22:49Z", "2024-12-15T08:22:49Z"]
    assert [node.text for node in root.findall(".//k:Folder[2]/k:Placemark/k:name", names)] == ["F1", "F2"]
    first = _written(folder, tmp_path, "kmz").read_bytes()
    assert first == _written(folder, tmp_path, "kmz").read_bytes()


def test_simulated_pictures_of_a_kmz_say_so_across_them(tmp_path: Path) -> None:
    before = make_raster(make_grid(), BEFORE)
    hole = before.valid.copy()
    hole[:, :9] = False
    before = before.with_pixels(before.data, hole, before.uncertain)
    pictures = []
    for simulated in (False, True):
        run = write_run(make_result(before=before, simulated=simulated), tmp_path / f"run-{simulated}")
        with zipfile.ZipFile(_written(run, tmp_path, "kmz")) as archive, archive.open("files/before.png") as file:
            pictures.append(np.asarray(Image.open(file).convert("RGBA")).astype(int))
    plain, marked = pictures
    assert np.array_equal(plain[..., 3], marked[..., 3]), "what is not valid stays transparent"
    changed = (plain != marked).any(axis=2)
    # Letters in each third of the picture, so that a cut-out shows them too.
    assert [third.any() for third in np.array_split(changed, 3)] == [True] * 3


def test_the_schema_check_of_kml_can_fail(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(_written(folder, tmp_path, "kmz")) as archive:
        text = archive.read("doc.kml").decode()
    (tmp_path / "wrong.kml").write_text(text.replace("<LatLonBox>", "<LatLonBox><up>1</up>"))
    with pytest.raises(AssertionError):
        validate(file_to_validate=tmp_path / "wrong.kml")


@pytest.mark.parametrize("name", ["gpkg", "geojson", "kmz"])
def test_ogr_counts_the_flags(folder: Path, tmp_path: Path, name: str) -> None:
    path = _written(folder, tmp_path, name)
    layer = {"gpkg": "flags", "geojson": None, "kmz": "Flagged changes"}[name]
    said = _said("ogrinfo", "gdal-bin", "-ro", "-so", path, *([layer] if layer else ["-al"]))
    assert "Feature Count: 2" in said
    assert 'ID["EPSG",4326]' in said


def test_an_overlay_puts_a_pixel_on_its_place(folder: Path) -> None:
    run = open_run(folder)
    picture = np.zeros((*run.grid.shape, 4), np.uint8)
    picture[..., 3] = 255
    picture[17, 43] = 255
    out, (west, south, east, north) = turned(picture, run)
    rows, cols = np.nonzero(out[..., 0])
    lon = west + (cols.mean() + 0.5) * (east - west) / out.shape[1]
    lat = north - (rows.mean() + 0.5) * (north - south) / out.shape[0]
    x, y = place("EPSG:4326", run.grid.crs, [lon], [lat])
    left, _, _, top = run.grid.bounds
    assert (x[0], y[0]) == pytest.approx((left + 435, top - 175), abs=2.5)


def test_a_cog_holds_both_dates_and_the_change(folder: Path, tmp_path: Path) -> None:
    path = _written(folder, tmp_path, "cog")
    valid, errors, _ = cog_validate(path)
    assert (valid, errors) == (True, [])
    with rasterio.open(path, driver="GTiff") as stack, rasterio.open(folder / "after.tif", driver="GTiff") as after:
        assert stack.descriptions[:2] == ("before B02", "before B03")
        assert stack.descriptions[-1] == "change valid"
        assert np.array_equal(stack.read(5), after.read(1), equal_nan=True)
        assert stack.transform == after.transform


def test_a_sheet_shows_both_dates(folder: Path, tmp_path: Path) -> None:
    with Image.open(_written(folder, tmp_path, "png")) as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > 2 * 80 * 10
        assert "Copernicus" in sheet.info["Description"]


def test_a_pdf_is_printed_by_the_browser_where_there_is_one(folder: Path, tmp_path: Path) -> None:
    if chromium() is None or not shutil.which("pdftotext"):
        pytest.skip("Chromium or pdftotext is not installed")
    path = _written(folder, tmp_path, "pdf")
    done = subprocess.run(["pdftotext", path, "-"], capture_output=True, text=True, check=True)
    for words in ("stand-in", "Read this first", "drawn, not seen", "Copernicus Sentinel data"):
        assert words in done.stdout, words
    assert done.stdout.index("Read this first") < done.stdout.index("Before and after")


def test_no_page_of_the_pdf_is_empty_or_cut(folder: Path, tmp_path: Path) -> None:
    if chromium() is None:
        pytest.skip("Chromium is not installed")
    path = _written(folder, tmp_path, "pdf")
    _said("pdftoppm", "poppler-utils", "-r", "60", "-png", path, tmp_path / "page")
    pages = [np.asarray(Image.open(one).convert("L")) for one in sorted(tmp_path.glob("page-*.png"))]
    assert len(pages) >= 2
    edge = round(60 * 8 / 25.4)
    for page in pages:
        assert (page[: -3 * edge] < 200).any()
        assert (page[:, :edge] > 250).all()
        assert (page[:, -edge:] > 250).all()


def test_without_a_browser_the_gist_is_drawn(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert browser() is None
    path = _written(folder, tmp_path, "pdf")
    assert path.read_bytes().startswith(b"%PDF-")
    pages = plain_pages(open_run(folder))
    assert all(page.size == pages[0].size for page in pages)
    assert all((np.asarray(page) < 128).any() for page in pages)


def _other_day(parent: Path, day: int) -> None:
    """Write a run of the same area with another later date."""
    grid = make_grid()
    after = make_raster(grid, AFTER.replace(day=day), day)
    write_run(make_result(grid, before=make_raster(grid, BEFORE, 1), after=after), parent / f"run-{day}")


def frames_of(film: Image.Image) -> int:
    """Return how many pictures a file has."""
    return len(list(ImageSequence.Iterator(film)))


def test_a_film_shows_each_date_once_and_then_the_flags(folder: Path, tmp_path: Path) -> None:
    for day in (18, 15):
        _other_day(tmp_path / "runs", day)
    with Image.open(_written(tmp_path / "runs", tmp_path, "gif")) as film:
        assert frames_of(film) == 4
        assert film.info["loop"] == 0
        film.seek(3)
        assert film.info["duration"] == 2800
        amber = (np.asarray(film.convert("RGB")).astype(int) - (255, 176, 0)).__abs__().sum(axis=2) < 12
        assert amber.any()
    with Image.open(_written(tmp_path / "runs", tmp_path, "webp")) as film:
        assert frames_of(film) == 4
    movie = cv2.VideoCapture(str(_written(folder, tmp_path, "mp4")))
    assert (movie.get(cv2.CAP_PROP_FRAME_COUNT), movie.get(cv2.CAP_PROP_FPS)) == (28, 5)
    assert movie.read()[0]
    movie.release()


@pytest.mark.parametrize(("name", "codec", "count"), [("mp4", "vp9", 28), ("gif", "gif", 3)])
def test_another_player_reads_the_film(folder: Path, tmp_path: Path, name: str, codec: str, count: int) -> None:
    path = _written(folder, tmp_path, name)
    facts = ("-select_streams", "v:0", "-count_frames", "-show_entries", "stream=codec_name,nb_read_frames")
    (stream,) = json.loads(_said("ffprobe", "ffmpeg", "-v", "error", *facts, "-of", "json", path))["streams"]
    assert (stream["codec_name"], int(stream["nb_read_frames"])) == (codec, count)


def test_runs_of_several_grids_make_no_film(tmp_path: Path) -> None:
    _other_day(tmp_path / "runs", 18)
    other = make_grid(50, 70)
    write_run(make_result(other), tmp_path / "runs" / "other")
    with pytest.raises(UsageError, match="2 different grids"):
        export(tmp_path / "runs", "gif", tmp_path / "a.gif")
    with pytest.raises(UsageError, match=r"holds 2 runs; give one of them. Several go into gif, webp, mp4"):
        export(tmp_path / "runs", "csv", tmp_path / "a.csv")
    assert not list(tmp_path.glob(".*"))


def test_what_cannot_be_exported_is_refused_in_a_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no format 'shp'"):
        export(folder, "shp")
    with pytest.raises(UsageError, match="holds no run"):
        export(tmp_path, "csv")
    with pytest.raises(UsageError, match="is no folder"):
        export(tmp_path / "none", "csv")
    with pytest.raises(UsageError, match="lies inside the run's folder"):
        export(folder, "csv", folder / "flags.csv")
    with pytest.raises(UsageError, match="is a folder"):
        export(folder, "csv", tmp_path)


def test_an_export_goes_beside_the_run_by_default(folder: Path) -> None:
    (path,) = export(folder, "csv")
    assert path == folder.with_name("run.csv")
    path.unlink()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("run.json", "{}", "lack"),
        ("run.json", '{"schema": "other/1"}', "not 'revisit/run/1'"),
        ("run.json", '{"a": NaN}', "no JSON number"),
        ("flags.geojson", '{"features": [{"properties": {}}]}', "lack"),
        ("flags.geojson", "[", "not JSON"),
    ],
)
def test_a_changed_run_is_refused(folder: Path, tmp_path: Path, name: str, content: str, words: str) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / name).write_text(content)
    with pytest.raises(UsageError, match=words):
        open_run(copy)
    runs, problems = find_runs(tmp_path)
    assert (runs, len(problems)) == ([], 1)


def test_a_link_that_leads_out_of_a_run_is_not_followed(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "flags.geojson").unlink()
    (copy / "flags.geojson").symlink_to(folder / "flags.geojson")
    with pytest.raises(UsageError, match="leads out of the folder"):
        open_run(copy)
    (tmp_path / "linked").symlink_to(folder)
    assert find_runs(tmp_path)[0] == []


def test_a_run_is_read_back_as_it_was(folder: Path) -> None:
    run, result = open_run(folder), make_result()
    assert run.grid == result.grid
    assert run.acquired("after") == datetime(2024, 12, 15, 8, 22, 49, tzinfo=UTC)
    assert np.array_equal(run.raster("before").data, result.before.data)
    assert run.raster("before").bands == result.before.bands
    assert run.zones[0].geometry is not None
    assert run.outline(run.flags[0]).bounds == (9, 9, 13, 13)
