"""The part of a remote raster that a grid needs: the same as from the whole file, and few bytes of it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.enums import Resampling
from rasterio.shutil import copy as copy_raster
from rasterio.warp import transform

from aoi import Grid
from imagery.errors import BadAnswerError, BudgetError, ChangedError, NoRangeError, SourceError
from imagery.exchange import MIB, Hosts, Request, Response
from imagery.geotiff import read_on_grid
from imagery.opening import inspect
from imagery.patch import read_patch
from imagery.ranges import HEAD_BYTES
from imagery.remote import coarsest, window, windows
from tests.rasters import CORNER, CRS, grid, numbers, write_raster

URL = "https://data.example.org/B04.tif"
REQUEST = Request(url=URL, hosts=Hosts(suffixes=("data.example.org",)))


class Shelf:
    """A client whose server holds files: answers as a true one does, and counts."""

    def __init__(self, files: Mapping[str, bytes], *, ranges: bool = True, tagged: bool = True) -> None:
        self.files, self.ranges, self.tagged = dict(files), ranges, tagged
        self.spans: list[tuple[int, int] | None] = []
        self.requests: list[Request] = []

    def send(self, request: Request) -> Response:
        content = self.files[request.url]
        self.spans.append(request.span)
        self.requests.append(request)
        tag = f'"{hash(content)}"'
        if request.version not in (None, tag):
            raise ChangedError(f"{request.url}: {request.version} is now {tag}")
        headers, status = {"etag": tag} if self.tagged else {}, 200
        if request.span:
            if not self.ranges:
                raise NoRangeError(request.url)
            first, count = request.span
            whole, content, status = len(content), content[first : first + count], 206
            headers["content-range"] = f"bytes {first}-{first + len(content) - 1}/{whole}"
        if len(content) > request.most_bytes:
            raise BadAnswerError(f"{len(content)} bytes are over the cap of {request.most_bytes}")
        answer = Response(url=request.url, status=status, headers=headers, content=content, received=datetime.now(UTC))
        if request.check:
            request.check(answer)
        return answer

    @property
    def received(self) -> int:
        """Bytes asked for in ranges, at most."""
        return sum(min(span[1], len(self.files[URL]) - span[0]) for span in self.spans if span)


def shelf(path: Path, **options: bool) -> Shelf:
    return Shelf({URL: path.read_bytes()}, **options)


def assert_same(copy: Path, source: Path, where: Grid) -> None:
    for resampling in ("cubic", "nearest"):
        ours = read_on_grid(copy, where, resampling=resampling)
        theirs = read_on_grid(source, where, resampling=resampling)
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])


def cog(path: Path, *, size: int = 2000, blocks: int = 256, seed: int = 1, **profile: Any) -> Path:
    """Write a cloud-optimised band with overviews."""
    plain = path.with_name("plain.tif")
    write_raster(plain, numbers(size, size, seed))
    copy_raster(plain, path, driver="COG", blocksize=blocks, **{"compress": "DEFLATE", **profile})
    return path


grids = st.builds(
    lambda zone, across, down, width, height, gsd, part: (zone, across, down, width, height, gsd, part),
    st.sampled_from(["EPSG:32636", "EPSG:32637"]),
    st.floats(-0.2, 1.1),
    st.floats(-0.2, 1.1),
    st.integers(1, 60),
    st.integers(1, 60),
    st.sampled_from([5.0, 10.0, 10.0, 20.0, 37.0]),
    st.sampled_from([0.0, 0.0, 0.3]),
)
layouts = st.fixed_dictionaries(
    {
        "compress": st.sampled_from(["none", "deflate", "lzw", "zstd"]),
        "bigtiff": st.sampled_from(["NO", "YES"]),
        "nodata": st.sampled_from([None, 0]),
    }
)
blocks = st.one_of(
    st.integers(1, 150).map(lambda rows: {"blockysize": rows}),
    st.tuples(st.integers(1, 9), st.integers(1, 9)).map(
        lambda size: {"tiled": True, "blockysize": 16 * size[0], "blockxsize": 16 * size[1]}
    ),
)


def placed(zone: str, across: float, down: float, size: tuple[int, int], *, gsd: float, part: float) -> Grid:
    """Return a grid that begins at a share of the file's width and height, on whole pixels or `part` of one off."""
    x, y = CORNER[0] + across * 1500, CORNER[1] - down * 1200
    if zone != CRS:
        ((x,), (y,)) = transform(CRS, zone, [x], [y])
    corner = (round(x / 10) * 10 + part * gsd, round(y / 10) * 10 - part * gsd)
    return Grid(crs=zone, transform=Affine(gsd, 0, corner[0], 0, -gsd, corner[1]), width=size[0], height=size[1])


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(grids, layouts, blocks)
def test_what_read_patch_reads_is_in_the_plan_for_any_grid_and_any_layout(
    where: Any, layout: dict[str, Any], shape: dict[str, Any]
) -> None:
    zone, across, down, width, height, gsd, part = where
    wanted = placed(zone, across, down, (width, height), gsd=gsd, part=part)
    with tempfile.TemporaryDirectory() as folder:
        source = write_raster(Path(folder) / "a.tif", numbers(120, 150), **layout, **shape)
        # Bytes at the end stand for all that a real file has beside the part that is wanted.
        source.write_bytes(source.read_bytes() + bytes(300_000))
        client = shelf(source)
        copy = window(client, REQUEST, wanted, folder=Path(folder))
        assert_same(copy, source, wanted)
        assert inspect(copy) == inspect(source)
        assert copy.stat().st_size == source.stat().st_size
        assert client.received <= 240_000


@pytest.mark.parametrize("blocksize", [128, 256, 512])
@pytest.mark.parametrize("zone", ["EPSG:32636", "EPSG:32637"])
def test_of_a_cloud_optimised_band_only_the_blocks_under_the_grid_are_asked_for(
    tmp_path: Path, blocksize: int, zone: str
) -> None:
    source = cog(tmp_path / "a.tif", blocks=blocksize)
    where = placed(zone, 5.0, 6.0, (300, 250), gsd=10, part=0)
    client = shelf(source)
    copy = window(client, REQUEST, where, folder=tmp_path / "out")
    assert_same(copy, source, where)
    assert len(client.spans) <= 2 + -(-250 // blocksize) + 2
    assert client.received < source.stat().st_size / 2


def test_the_directories_may_stand_at_the_end_of_the_file(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "a.tif", numbers(900, 900), tiled=True, blockxsize=128, blockysize=128)
    with rasterio.open(source, "r+") as file:
        # A directory that grows is written anew behind everything else.
        file.update_tags(**{f"NOTE_{index}": "x" * 100 for index in range(40)})
    where = grid(cols=300, rows=300)
    client = shelf(source)
    assert_same(window(client, REQUEST, where, folder=tmp_path / "out"), source, where)
    assert client.spans[1] is not None
    assert sum(client.spans[1]) == source.stat().st_size
    assert len(client.spans) == 3


def test_blocks_of_sixteen_pixels_in_a_large_file_take_few_requests(tmp_path: Path) -> None:
    source = write_raster(
        tmp_path / "a.tif", numbers(3000, 3000), tiled=True, blockxsize=16, blockysize=16, compress="deflate"
    )
    where = grid(cols=1000, rows=1000, width=100, height=100)
    client = shelf(source)
    assert_same(window(client, REQUEST, where, folder=tmp_path / "out"), source, where)
    assert len(client.spans) < 20
    assert client.received < 1.5 * MIB


def test_a_grid_beside_the_file_asks_for_no_blocks(tmp_path: Path) -> None:
    source = cog(tmp_path / "a.tif")
    client = shelf(source)
    copy = window(client, REQUEST, grid(cols=5000), folder=tmp_path / "out")
    assert not read_patch(copy, grid(cols=5000)).present.any()
    assert client.spans == [(0, HEAD_BYTES)]


def test_a_mask_inside_the_file_is_obeyed(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    mask = np.zeros((600, 600), np.uint8)
    mask[:, :310] = 255
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"):
        write_raster(source, numbers(600, 600), tiled=True, blockxsize=64, blockysize=64)
        with rasterio.open(source, "r+") as file:
            file.write_mask(mask)
    copy = window(shelf(source), REQUEST, grid(cols=280, rows=280), folder=tmp_path / "out")
    assert_same(copy, source, grid(cols=280, rows=280))
    _, valid = read_on_grid(copy, grid(cols=280, rows=280))
    assert (valid.any(axis=0) == (np.arange(60) < 30)).all()


@pytest.mark.parametrize("compress", ["none", "deflate", "packbits"])
def test_reading_beside_what_was_fetched_fails_and_gives_no_zeros(tmp_path: Path, compress: str) -> None:
    source = write_raster(
        tmp_path / "a.tif", numbers(800, 800), tiled=True, blockxsize=64, blockysize=64, compress=compress
    )
    copy = window(shelf(source), REQUEST, grid(cols=100, rows=100), folder=tmp_path / "out")
    with pytest.raises(Exception, match="truncated or damaged"):
        read_on_grid(copy, grid(cols=400, rows=400))
    with pytest.raises(Exception, match="truncated or damaged"):
        read_on_grid(copy, grid(cols=150, rows=100))


def test_the_coarsest_overview_is_a_raster_of_its_own(tmp_path: Path) -> None:
    source = cog(tmp_path / "a.tif", size=2000, blocks=128)
    client = shelf(source)
    small = coarsest(client, REQUEST, folder=tmp_path / "out")
    with rasterio.open(source) as full, rasterio.open(small) as copy:
        factor = full.overviews(1)[-1]
        assert factor >= 8
        with rasterio.open(source, overview_level=len(full.overviews(1)) - 1) as oracle:
            np.testing.assert_array_equal(copy.read(1), oracle.read(1))
            assert copy.transform.almost_equals(oracle.transform)
        assert copy.bounds == full.bounds
        assert copy.crs == full.crs
    assert client.received < source.stat().st_size / 20


def test_the_coarsest_overview_brings_its_mask(tmp_path: Path) -> None:
    plain, source = tmp_path / "plain.tif", tmp_path / "a.tif"
    mask = np.zeros((1000, 1000), np.uint8)
    mask[400:] = 255
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"):
        write_raster(plain, numbers(1000, 1000), tiled=True)
        with rasterio.open(plain, "r+") as file:
            file.write_mask(mask)
            file.build_overviews([4], Resampling.nearest)
        copy_raster(plain, source, driver="COG", blocksize=128, overviews="FORCE_USE_EXISTING")
    small = coarsest(shelf(source), REQUEST, folder=tmp_path / "out")
    with rasterio.open(small) as copy:
        np.testing.assert_array_equal(copy.read_masks(1), mask[::4, ::4])
        np.testing.assert_array_equal(copy.read(1)[100:], numbers(1000, 1000)[::4, ::4][100:])


def test_without_overviews_the_coarsest_is_the_file_itself_under_the_cap(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "a.tif", numbers(300, 400), tiled=True, blockxsize=64, blockysize=64)
    with rasterio.open(coarsest(shelf(source), REQUEST, folder=tmp_path / "out")) as copy:
        np.testing.assert_array_equal(copy.read(1), numbers(300, 400))
    with pytest.raises(BudgetError, match="over the cap of 40,000"):
        coarsest(shelf(source), replace(REQUEST, most_bytes=40_000), folder=tmp_path / "out")


def test_row_27_without_ranges_the_whole_file_is_fetched(tmp_path: Path) -> None:
    source = cog(tmp_path / "a.tif", size=600)
    client = shelf(source, ranges=False)
    copy = window(client, REQUEST, grid(cols=200, rows=200), folder=tmp_path / "out")
    assert_same(copy, source, grid(cols=200, rows=200))
    assert client.spans == [(0, HEAD_BYTES), None]
    with rasterio.open(coarsest(client, REQUEST, folder=tmp_path / "out")) as small:
        assert small.width == 150 or small.width < 512


def test_row_27_the_whole_file_is_held_under_the_cap(tmp_path: Path) -> None:
    source = cog(tmp_path / "a.tif", size=600)
    with pytest.raises(SourceError, match="over the cap of 1000"):
        window(shelf(source, ranges=False), replace(REQUEST, most_bytes=1000), grid(), folder=tmp_path / "out")


def test_jpeg_2000_is_fetched_whole(tmp_path: Path) -> None:
    source = write_raster(
        tmp_path / "a.jp2", numbers(1200, 1200), driver="JP2OpenJPEG", quality="100", reversible="YES"
    )
    client = shelf(source)
    copy = window(client, REQUEST, grid(cols=200, rows=200), folder=tmp_path / "out")
    assert_same(copy, source, grid(cols=200, rows=200))
    assert client.spans == [(0, HEAD_BYTES), None]
    with rasterio.open(coarsest(client, REQUEST, folder=tmp_path / "out")) as small:
        assert small.width <= 300
        assert small.bounds == rasterio.open(source).bounds


def test_several_files_come_in_the_order_of_their_requests(tmp_path: Path) -> None:
    sources = [cog(tmp_path / f"{seed}.tif", size=500, seed=seed) for seed in range(5)]
    urls = [f"https://data.example.org/{seed}.tif" for seed in range(5)]
    client = Shelf({url: source.read_bytes() for url, source in zip(urls, sources, strict=True)})
    copies = windows(client, [replace(REQUEST, url=url) for url in urls], grid(), folder=tmp_path / "out")
    for copy, source in zip(copies, sources, strict=True):
        assert_same(copy, source, grid())


def test_the_first_of_several_failures_is_told(tmp_path: Path) -> None:
    good = cog(tmp_path / "a.tif", size=500).read_bytes()
    client = Shelf({URL: good, URL + "1": b"<html>log in</html>", URL + "2": good})
    with pytest.raises(BadAnswerError, match=r"B04\.tif1: begins with b'<html>lo'"):
        windows(client, [replace(REQUEST, url=URL + which) for which in ("", "1", "2")], grid(), folder=tmp_path)


def test_two_grids_of_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    source = cog(tmp_path / "a.tif")
    client, places = shelf(source), [grid(cols=100), grid(cols=1500, rows=1500)]
    copies = [window(client, REQUEST, place, folder=tmp_path / "out") for place in places]
    for copy, place in zip(copies, places, strict=True):
        assert_same(copy, source, place)


def test_nothing_is_left_beside_the_result(tmp_path: Path) -> None:
    source = cog(tmp_path / "a.tif")
    out = tmp_path / "out"
    copy = window(shelf(source), REQUEST, grid(), folder=out)
    assert list(out.iterdir()) == [copy]
    bad = Shelf({URL: source.read_bytes()[:2000] + bytes(2000)})
    with pytest.raises(BadAnswerError):
        window(bad, REQUEST, grid(), folder=out)
    assert list(out.iterdir()) == [copy]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(SourceError, match=r"cannot be written to .*out"):
        window(shelf(cog(tmp_path / "a.tif", size=500)), REQUEST, grid(), folder=tmp_path / "out")


# Versions and what is kept


def test_all_ranges_carry_the_tag_of_the_first_answer(tmp_path: Path) -> None:
    client = shelf(cog(tmp_path / "a.tif"))
    window(client, REQUEST, grid(cols=1000, rows=1000), folder=tmp_path)
    first, *others = client.requests
    assert first.version is None
    assert others
    assert {one.version for one in others} == {f'"{hash(client.files[URL])}"'}
    assert first.keep == timedelta(hours=24)
    assert all(one.keep and one.keep > timedelta(hours=24) for one in others)


class Swapping(Shelf):
    """A server whose file is replaced after a number of requests."""

    def __init__(self, old: bytes, new: bytes, *, after: int, tagged: bool) -> None:
        super().__init__({URL: old}, tagged=tagged)
        self.new, self.after = new, after

    def send(self, request: Request) -> Response:
        if len(self.spans) == self.after:
            self.files[URL] = self.new
        return super().send(request)


def test_a_file_that_changes_while_it_is_read_is_begun_anew(tmp_path: Path) -> None:
    old = cog(tmp_path / "old.tif", seed=1).read_bytes()
    new = cog(tmp_path / "new.tif", seed=2)
    client = Swapping(old, new.read_bytes(), after=1, tagged=True)
    copy = window(client, REQUEST, grid(cols=1000, rows=1000), folder=tmp_path / "out")
    assert_same(copy, new, grid(cols=1000, rows=1000))
    again = client.requests[2]
    assert (again.span, again.version, again.keep) == ((0, HEAD_BYTES), None, timedelta(0))


def test_without_tags_a_file_of_another_length_is_noticed(tmp_path: Path) -> None:
    old = cog(tmp_path / "old.tif", seed=1, size=1800).read_bytes()
    new = cog(tmp_path / "new.tif", seed=2)
    client = Swapping(old, new.read_bytes(), after=1, tagged=False)
    copy = window(client, REQUEST, grid(cols=1000, rows=1000), folder=tmp_path / "out")
    assert_same(copy, new, grid(cols=1000, rows=1000))


def test_a_file_that_never_stays_the_same_is_a_failure(tmp_path: Path) -> None:
    contents = [cog(tmp_path / f"{seed}.tif", seed=seed).read_bytes() for seed in (1, 2)]

    class Restless(Shelf):
        def send(self, request: Request) -> Response:
            self.files[URL] = contents[len(self.spans) % 2]
            return super().send(request)

    with pytest.raises(ChangedError):
        window(Restless({URL: contents[0]}), REQUEST, grid(cols=1000, rows=1000), folder=tmp_path)


class Spoiling(Shelf):
    """A server, or a cache, whose ranges are spoilt the first `times` times; a fresh request is answered rightly."""

    def __init__(self, content: bytes, *, times: int) -> None:
        super().__init__({URL: content})
        self.times = times

    def send(self, request: Request) -> Response:
        answer = super().send(request)
        if request.span and request.span[0] and self.times:
            self.times -= 1
            return replace(answer, content=bytes(len(answer.content)))
        return answer


def test_row_28_a_range_that_cannot_be_decoded_is_asked_for_again_past_the_cache(tmp_path: Path) -> None:
    source = cog(tmp_path / "a.tif", blocks=512)
    client = Spoiling(source.read_bytes(), times=1)
    copy = window(client, REQUEST, grid(cols=1000, rows=1000), folder=tmp_path / "out")
    assert_same(copy, source, grid(cols=1000, rows=1000))
    fresh = [one.keep == timedelta(0) for one in client.requests]
    assert fresh == sorted(fresh)
    assert fresh.count(True) == fresh.count(False)


def test_row_28_a_range_that_is_never_right_fails_the_scene(tmp_path: Path) -> None:
    client = Spoiling(cog(tmp_path / "a.tif", blocks=512).read_bytes(), times=100)
    with pytest.raises(BadAnswerError, match=r"B04\.tif: truncated or damaged"):
        window(client, REQUEST, grid(cols=1000, rows=1000), folder=tmp_path / "out")


# Answers that lie


class Lying(Shelf):
    """A server that says another place than it sends."""

    def __init__(self, content: bytes, told: str) -> None:
        super().__init__({URL: content})
        self.told = told

    def send(self, request: Request) -> Response:
        answer = super().send(replace(request, check=None))
        answer = replace(answer, headers={**answer.headers, "content-range": self.told})
        if request.check:
            request.check(answer)
        return answer


@pytest.mark.parametrize(
    "told",
    ["", "bytes 1-8192/500000", "bytes 0-8190/500000", "bytes 0-99/100", "bytes 0-8191/*", "bytes */5", "0-9/10"],
)
def test_an_answer_that_is_not_the_range_asked_for_is_refused(tmp_path: Path, told: str) -> None:
    client = Lying(cog(tmp_path / "a.tif").read_bytes(), told)
    with pytest.raises(BadAnswerError):
        window(client, REQUEST, grid(), folder=tmp_path)


def bomb(tmp_path: Path, **profile: Any) -> bytes:
    """Return a small file that declares a large image."""
    path = tmp_path / "bomb.tif"
    shape = {"driver": "GTiff", "count": 1, "dtype": "uint8", "height": 30_000, "width": 30_000, **profile}
    with rasterio.open(
        path, "w", crs=CRS, transform=Affine(10, 0, *CORNER[:1], 0, -10, CORNER[1]), sparse_ok=True, **shape
    ):
        pass
    return path.read_bytes()


def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    client = Shelf({URL: bomb(tmp_path, tiled=True) + bytes(10**7)})
    with pytest.raises(BadAnswerError, match="the cap is"):
        window(client, REQUEST, grid(), folder=tmp_path)
    assert client.received <= 16 * HEAD_BYTES


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        ({"height": 9000, "width": 9000, "tiled": True, "blockxsize": 8192, "blockysize": 8192}, "over the cap of"),
        ({"height": 500, "width": 500, "crs": None}, "coordinate reference system"),
        ({"height": 500, "width": 500, "dtype": "complex64"}, "real numbers"),
    ],
)
def test_a_file_that_would_not_be_opened_is_refused_before_its_blocks_are_asked_for(
    tmp_path: Path, profile: dict[str, Any], says: str
) -> None:
    path = tmp_path / "bad.tif"
    shape = {"driver": "GTiff", "count": 1, "dtype": "uint8", "crs": CRS, **profile}
    with rasterio.open(path, "w", transform=Affine(10, 0, CORNER[0], 0, -10, CORNER[1]), sparse_ok=True, **shape):
        pass
    client = Shelf({URL: path.read_bytes() + bytes(10**6)})
    with pytest.raises(BadAnswerError, match=says):
        window(client, REQUEST, grid(), folder=tmp_path)
    assert client.received <= 2 * HEAD_BYTES


def test_more_bytes_than_allowed_are_not_asked_for(tmp_path: Path) -> None:
    client = shelf(cog(tmp_path / "a.tif"))
    with pytest.raises(BudgetError, match="over the cap of 100,000; take a smaller area"):
        window(
            client,
            replace(REQUEST, most_bytes=100_000),
            grid(cols=500, rows=500, width=900, height=900),
            folder=tmp_path,
        )
    assert client.received == HEAD_BYTES


def test_an_empty_answer_is_no_raster(tmp_path: Path) -> None:
    client = Shelf({URL: b""}, ranges=False)
    with pytest.raises(BadAnswerError, match="is empty"):
        window(client, REQUEST, grid(), folder=tmp_path)
