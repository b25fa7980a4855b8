"""Hostile files: refused with a reason or ignored, nothing outside the folder read or written, good ones still used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import box

from aoi import AOI
from imagery.archive import open_zip
from imagery.documents import parse_json, parse_xml
from imagery.errors import ImageryError, RefusedFileError, SceneError
from imagery.geotiff import read_on_grid
from imagery.hardening import SKIPPED_DRIVERS, live_drivers
from imagery.opening import inspect
from imagery.scene import Period
from imagery.sources.base import Found
from imagery.sources.folder import FolderSource
from tests import hostile
from tests.rasters import grid, numbers, snapshot, write_raster
from tests.safe_fixture import BANDS, GRID, Safe, surface, write_safe, zip_folder
from tests.scenery import Pass, write_scenes

ROOT = Path(__file__).parents[1]
EVERYWHERE = AOI(name="everywhere", geometry=box(-180, -90, 180, 90))
ALWAYS = [Period(start=datetime(2015, 1, 1, tzinfo=UTC), end=datetime(2030, 1, 1, tzinfo=UTC))]
GOOD, BAD = Pass(day="2024-12-07"), Pass(day="2024-12-17")


def search(folder: Path) -> Found:
    """Return everything that a folder holds."""
    return FolderSource(folder).search(EVERYWHERE, ALWAYS, sensor="s2")


def run_python(code: str, *arguments: object) -> str:
    """Run a program in a process of its own, without the project's environment; return what it prints."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("GDAL_", "CPL_", "VSI_"))}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=clean).stdout.strip()


@pytest.mark.parametrize("name", hostile.RASTERS)
def test_a_hostile_raster_is_refused_and_the_good_scene_beside_it_used(tmp_path: Path, name: str) -> None:
    make, reason = hostile.RASTERS[name]
    canary = hostile.write_canary(tmp_path / "outside")
    folder = write_scenes(tmp_path / "scenes", GOOD, BAD)
    target = folder / BAD.id / "B03.tif"
    target.unlink()
    make(target, canary)
    before = snapshot(tmp_path)
    found = search(folder)
    assert [scene.id for scene in found.scenes] == [GOOD.id]
    assert len(found.warnings) == 1
    assert BAD.id in found.warnings[0]
    with pytest.raises(ImageryError, match=reason):
        raise SceneError(found.warnings[0])
    assert FolderSource(folder).read(found.scenes[0], grid(), ("B02", "B03")).valid.all()
    assert snapshot(tmp_path) == before


def test_these_canaries_sing_for_a_reader_without_fences(tmp_path: Path) -> None:
    canary = hostile.write_canary(tmp_path / "outside")
    hostile.vrt(tmp_path / "vrt.tif", canary)
    hostile.mrf(tmp_path / "mrf.tif", canary)
    code = "import sys, rasterio; print([int(rasterio.open(path).read().max()) for path in sys.argv[1:]])"
    assert run_python(code, tmp_path / "vrt.tif", tmp_path / "mrf.tif") == f"[{hostile.SECRET}, {hostile.SECRET}]"
    assert {path.name for path in (tmp_path / "outside").iterdir()} == {"canary.tif", "written.data", "written.idx"}


def test_even_a_careless_open_finds_no_driver_for_them(tmp_path: Path) -> None:
    canary = hostile.write_canary(tmp_path / "outside")
    hostile.vrt(tmp_path / "vrt.tif", canary)
    hostile.mrf(tmp_path / "mrf.tif", canary)
    code = """
import sys, imagery, rasterio
for path in (*sys.argv[1:], open(sys.argv[1]).read()):
    try:
        rasterio.open(path)
    except rasterio.errors.RasterioIOError:
        print("refused", end=" ")
"""
    assert run_python(code, tmp_path / "vrt.tif", tmp_path / "mrf.tif") == "refused refused refused"


def test_no_driver_that_is_not_needed_is_registered() -> None:
    assert {"VRT", "MRF", "GTI", "WMS", "HTTP", "STACIT", "DERIVED", "netCDF"} <= set(SKIPPED_DRIVERS)
    assert live_drivers() == frozenset()


def test_importing_the_package_imports_no_rasterio() -> None:
    assert run_python("import sys, imagery; print('rasterio' in sys.modules)") == "False"


def test_a_gdal_that_started_too_early_is_reported_and_still_fenced(tmp_path: Path) -> None:
    hostile.vrt(tmp_path / "vrt.tif", hostile.write_canary(tmp_path / "outside"))
    write_raster(tmp_path / "good.tif", numbers())
    code = """
import sys, warnings, pathlib, rasterio
rasterio.open(sys.argv[2]).close()
from imagery.opening import inspect
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    inspect(pathlib.Path(sys.argv[2]))
print([w.category.__name__ for w in caught], end=" ")
try:
    inspect(pathlib.Path(sys.argv[1]))
except ValueError as error:
    print(error)
"""
    said = run_python(code, tmp_path / "vrt.tif", tmp_path / "good.tif")
    assert said.startswith("['HardeningWarning'] vrt.tif: begins with")


@pytest.mark.parametrize("suffix", [".tif", ".jp2"])
def test_side_files_have_no_effect(tmp_path: Path, suffix: str) -> None:
    canary = hostile.write_canary(tmp_path / "outside")
    path = tmp_path / f"a{suffix}"
    lossless = {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES"} if suffix == ".jp2" else {}
    write_raster(path, numbers(), **lossless)
    plain, content = inspect(path), read_on_grid(path, grid())
    hostile.side_files(path, canary)
    before = snapshot(tmp_path)
    assert inspect(path) == plain
    for first, second in zip(content, read_on_grid(path, grid()), strict=True):
        np.testing.assert_array_equal(first, second)
    assert snapshot(tmp_path) == before


def test_a_bomb_is_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    hostile.bomb(tmp_path / "bomb.tif", tmp_path)
    assert (tmp_path / "bomb.tif").stat().st_size < 3000
    code = """
import sys, pathlib, resource
from imagery.opening import inspect
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    inspect(pathlib.Path(sys.argv[1]))
except ValueError as error:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    kilobytes = int(run_python(code, tmp_path / "bomb.tif"))
    assert kilobytes < 50_000


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95, 0.999])
@pytest.mark.parametrize("kind", ["plain", "deflate", "jp2"])
def test_what_is_cut_off_is_never_read_as_zero(tmp_path: Path, kind: str, share: float) -> None:
    profiles = {"plain": {}, "deflate": {"compress": "deflate"}}
    lossless = {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES"}
    path = write_raster(tmp_path / "a.tif", numbers(), **profiles.get(kind, lossless))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    # What stands at the end of a file, such as its georeference, may be what is missed first.
    with pytest.raises(RefusedFileError, match=r"a\.tif: (truncated|has no coordinate)"):
        read_on_grid(path, grid())


def test_a_scene_whose_pixels_are_damaged_is_refused_when_read(tmp_path: Path) -> None:
    folder = write_scenes(tmp_path, GOOD)
    path = folder / GOOD.id / "B03.tif"
    content = write_raster(path, numbers(160, 160), compress="deflate").read_bytes()
    path.write_bytes(content[:5_000] + bytes(10_000) + content[15_000:])
    scene = search(folder).scenes[0]
    with pytest.raises(RefusedFileError, match=r"B03\.tif: truncated or damaged"):
        FolderSource(folder).read(scene, grid(), ("B02", "B03"))


def trace_opened(folder: Path, log: Path) -> str:
    """Search and read a folder under strace; return every path that the process opened."""
    code = """
import sys, pathlib, datetime
from shapely.geometry import box
from aoi import AOI
from imagery.scene import Period
from imagery.sources.folder import FolderSource
from tests.rasters import grid
source, ever = FolderSource(pathlib.Path(sys.argv[1])), datetime.datetime
period = Period(start=ever(2015, 1, 1, tzinfo=datetime.UTC), end=ever(2030, 1, 1, tzinfo=datetime.UTC))
found = source.search(AOI(name="x", geometry=box(-180, -90, 180, 90)), [period], sensor="s2")
print(len([source.read(scene, grid(), ("B02", "B03")) for scene in found.scenes]))
"""
    command = ["strace", "-f", "-qq", "-e", "trace=%file", "-o", str(log), sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        pytest.skip(f"strace cannot trace here: {done.stderr[:80]}")
    assert done.stdout.strip() == "1"
    return log.read_text()


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_no_call_to_the_system_touches_the_canary(tmp_path: Path) -> None:
    canary = hostile.write_canary(tmp_path / "outside")
    names = ("vrt", "mrf", "link-out")
    passes = [Pass(day=f"2024-11-{k + 10}") for k in range(len(names))]
    folder = write_scenes(tmp_path / "scenes", GOOD, *passes)
    for one, name in zip(passes, names, strict=True):
        (folder / one.id / "B02.tif").unlink()
        hostile.RASTERS[name][0](folder / one.id / "B02.tif", canary)
    hostile.side_files(folder / GOOD.id / "B02.tif", canary)
    opened = [line for line in trace_opened(folder, tmp_path / "log").splitlines() if str(canary.parent) in line]
    # Whoever resolves a link asks where it leads; nobody opens what lies there.
    assert [line for line in opened if "readlink" not in line and "stat" not in line] == []


HREFS = [
    "../outside/canary.tif",
    "./scene/../../outside/canary.tif",
    "/vsicurl/http://127.0.0.1/x.tif",
    "https://example.com/x.tif",
    "s3://bucket/x.tif",
    "file://example.com/x.tif",
    "zip+file:///x.zip!x.tif",
    "//example.com/x.tif",
    "a\nb.tif",
    "a\0.tif",
    "",
    "<VRTDataset/>",
    "GTIFF_DIR:1:x.tif",
    "x" * 5000,
]


@pytest.mark.parametrize("href", HREFS)
def test_an_address_outside_the_folder_is_not_opened(tmp_path: Path, href: str) -> None:
    hostile.write_canary(tmp_path / "outside")
    folder = write_scenes(tmp_path / "scenes", GOOD, BAD)
    path = folder / f"{BAD.id}.json"
    item = json.loads(path.read_text())
    item["assets"]["B03"]["href"] = href
    path.write_text(json.dumps(item))
    found = search(folder)
    used = {scene.id: set(scene.assets) for scene in found.scenes}
    assert used.pop(GOOD.id) >= {"B02", "B03"}
    # A name that is merely not there costs the band; everything else costs the scene, and says so.
    assert all("B03" not in bands for bands in used.values())
    assert used or len(found.warnings) == 1


def test_an_absolute_canary_is_not_opened(tmp_path: Path) -> None:
    canary = hostile.write_canary(tmp_path / "outside")
    folder = write_scenes(tmp_path / "scenes", GOOD)
    path = folder / f"{GOOD.id}.json"
    for href in (str(canary), canary.as_uri()):
        item = json.loads(path.read_text())
        item["assets"]["B03"]["href"] = href
        path.write_text(json.dumps(item))
        with pytest.raises(SceneError, match="leads out of the folder"):
            search(folder)


def test_links_that_leave_the_folder_are_not_followed(tmp_path: Path) -> None:
    outside = write_scenes(tmp_path / "outside", BAD)
    folder = write_scenes(tmp_path / "scenes", GOOD)
    (folder / "more").symlink_to(outside, target_is_directory=True)
    (folder / "item.json").symlink_to(outside / f"{BAD.id}.json")
    found = search(folder)
    assert [scene.id for scene in found.scenes] == [GOOD.id]
    assert [line.split(":")[0] for line in found.warnings] == ["more", "item.json"]


@pytest.mark.parametrize("name", hostile.ZIPS)
def test_a_hostile_zip_is_refused_and_the_good_product_beside_it_used(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "scenes"
    write_safe(folder, Safe())
    hostile.write_zip(folder / "bad.zip", hostile.ZIPS[name], tmp_path / "unpacked")
    before = snapshot(tmp_path)
    found = search(folder)
    assert [scene.acquired.day for scene in found.scenes] == [7]
    with pytest.raises(SceneError, match=f"bad.zip: .*{hostile.ZIPS[name].reason}"):
        raise SceneError(" ".join(found.warnings))
    np.testing.assert_allclose(FolderSource(folder).read(found.scenes[0], GRID, BANDS).data, surface(), atol=1e-7)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: hostile.add_link(path, Path("/etc")), "a link or a device"),
        (hostile.add_twice, "comes twice"),
        (hostile.mark_encrypted, "encrypted"),
        (hostile.cut, "no zip"),
        (lambda path: hostile.crowd(path, 30_000), "declares 30,000 members"),
        (lambda path: path.write_bytes(b""), "no zip"),
        (lambda path: path.write_bytes(b"PK\x05\x06" + b"\0" * 18), "holds nothing"),
        (lambda path: path.write_bytes(b"PK\x05\x06"), "no zip"),
    ],
)
def test_a_spoilt_zip_is_refused(tmp_path: Path, spoil: object, reason: str) -> None:
    path = tmp_path / "bad.zip"
    zip_folder(write_safe(tmp_path / "unpacked", Safe()), path)
    assert callable(spoil)
    spoil(path)
    with pytest.raises(RefusedFileError, match=reason):
        open_zip(path)


@pytest.mark.parametrize("admitted", [100_000, 1])
def test_ten_to_the_five_members_are_refused(tmp_path: Path, admitted: int) -> None:
    hostile.crowd(tmp_path / "bad.zip", 100_000, admitted=admitted)
    with pytest.raises(RefusedFileError, match=r"(declares 65,535|holds 100,000) members"):
        open_zip(tmp_path / "bad.zip")


def test_a_damaged_member_is_refused_when_it_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    folder.mkdir()
    zip_folder(write_safe(tmp_path / "unpacked", Safe()), folder / "a.zip")
    hostile.damage(folder / "a.zip", "B03_10m.jp2")
    scene = search(folder).scenes[0]
    with pytest.raises(RefusedFileError, match=r"B03_10m\.jp2 cannot be read|B03_10m\.jp2: truncated or damaged"):
        FolderSource(folder).read(scene, GRID, BANDS)


@pytest.mark.parametrize("kind", ["entities", "external"])
def test_entities_in_the_metadata_are_refused(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "scenes"
    write_safe(folder, Safe())
    canary = hostile.write_canary(tmp_path / "outside")
    doctype = hostile.ENTITIES if kind == "entities" else hostile.external_entity(canary)
    write_safe(folder, Safe(day="20241217", doctype=doctype))
    found = search(folder)
    assert [scene.acquired.day for scene in found.scenes] == [7]
    assert [line.partition(": ")[2] for line in found.warnings] == [
        "XML with a document type or entities, which no product has"
    ]


def test_a_linked_image_that_leaves_the_folder_costs_the_product(tmp_path: Path) -> None:
    outside = write_safe(tmp_path / "outside", Safe(day="20241217"))
    folder = tmp_path / "scenes"
    write_safe(folder, Safe())
    top = write_safe(folder, Safe(day="20241217"))
    image = next(top.rglob("*_B03_10m.jp2"))
    image.unlink()
    image.symlink_to(next(outside.rglob("*_B03_10m.jp2")))
    found = search(folder)
    assert [scene.acquired.day for scene in found.scenes] == [7]
    assert "leads out of the folder" in found.warnings[0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b'{"a": -Infinity}', "Infinity is no JSON number"),
        (b'{"a": 1e999}', "1e999 is larger than any number"),
        (b'{"a": 1, "b": 2, "a": 3}', "the key 'a' stands twice"),
        (b"[" * 100_000, "nested more than 32 levels"),
        (b"[" * 40 + b"]" * 40, "nested more than 32 levels"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "a number of 5001 digits"),
        (b"\xff\xfe", "not UTF-8"),
        (b"{", "not JSON"),
        (b" " * (4 * 2**20 + 1), "over the cap"),
    ],
)
def test_json_is_parsed_strictly(text: bytes, reason: str) -> None:
    with pytest.raises(RefusedFileError, match=reason):
        parse_json(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"<a>" + b" " * (16 * 2**20) + b"</a>", "over the cap"),
        (b"<a>", "not XML"),
        (b'<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd"><a/>', "document type"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "XML"),
    ],
)
def test_xml_is_parsed_strictly(text: bytes, reason: str) -> None:
    with pytest.raises(RefusedFileError, match=reason):
        parse_xml(text)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 10_000), replacement=st.binary(min_size=0, max_size=6), length=st.integers(0, 40))
def test_a_garbled_file_is_refused_and_never_crashes(
    tmp_path: Path, position: int, replacement: bytes, length: int
) -> None:
    path = tmp_path / "whole.tif"
    content = (path if path.exists() else write_raster(path, numbers(), compress="deflate")).read_bytes()
    at, path = position % len(content), tmp_path / "garbled.tif"
    path.write_bytes(content[:at] + replacement + content[at + length :])
    try:
        read, valid = read_on_grid(path, grid())
    except RefusedFileError:
        return
    assert read.shape == valid.shape == (40, 60)
