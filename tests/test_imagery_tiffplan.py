"""What is planned of a TIFF, and the copy in which nothing else can be read: held against whole files and tifffile."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from rasterio.enums import Resampling
from rasterio.shutil import copy as copy_raster
from rasterio.windows import Window

from imagery.errors import RefusedFileError
from imagery.opening import open_raster
from imagery.pieces import MissingBytesError, Pieces
from imagery.tifflayout import BLOCK_SLACK, Layout, UnplannedFileError, read_layout
from imagery.tiffplan import Plan, coalesce, coarsest_image, plan_area, write_copy
from tests.rasters import numbers, write_raster

HEIGHT, WIDTH = 150, 200
CODECS = ("none", "lzw", "deflate", "zstd", "packbits", "lerc", "lzma")


def whole(path: Path) -> Pieces:
    """Return all the bytes of a file."""
    pieces = Pieces(path.stat().st_size)
    pieces.add(0, path.read_bytes())
    return pieces


def fetched(content: bytes, chunk: int = 64) -> tuple[Pieces, Layout]:
    """Return the layout of a TIFF read a little at a time, and the bytes that it took."""
    pieces = Pieces(len(content))
    while True:
        try:
            return pieces, read_layout(pieces)
        except MissingBytesError as missing:
            first, count = missing.span
            pieces.add(first, content[first : first + max(count, chunk)])


def planned(content: bytes, area: tuple[int, int, int, int], *, overview: bool = False) -> tuple[Pieces, Plan]:
    pieces, layout = fetched(content)
    image = coarsest_image(layout) if overview else layout.images[0]
    while True:
        try:
            plan = plan_area(pieces, layout, image, image.all if overview else area)
            break
        except MissingBytesError as missing:
            first, count = missing.span
            pieces.add(first, content[first : first + count])
    for first, count in coalesce(pieces.lacking(plan.spans), gap=0):
        pieces.add(first, content[first : first + count])
    return pieces, plan


def can_read(path: Path, window: Window) -> bool:
    try:
        with open_raster(path) as dataset:
            dataset.read(1, window=window)
    except RefusedFileError:
        return False
    return True


PROFILES: dict[str, dict[str, Any]] = {
    "striped": {"blockysize": 7},
    "one strip": {"blockysize": HEIGHT},
    "tiled": {"tiled": True, "blockxsize": 32, "blockysize": 48},
    "big": {"tiled": True, "blockxsize": 64, "blockysize": 64, "bigtiff": "YES"},
    "big striped": {"blockysize": 11, "bigtiff": "YES"},
    "sparse": {"tiled": True, "blockxsize": 32, "blockysize": 32, "sparse_ok": True},
    "motorola": {"endianness": "BIG", "blockysize": 9},
}


@pytest.mark.parametrize("layout", PROFILES)
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_planned_blocks_are_read_as_from_the_whole_file_and_no_others(
    tmp_path: Path, layout: str, codec: str, dtype: str
) -> None:
    pixels = numbers(HEIGHT, WIDTH).astype(dtype)
    source = write_raster(tmp_path / "a.tif", pixels, compress=codec, **PROFILES[layout])
    pieces, plan = planned(source.read_bytes(), (60, 70, 75, 90))
    write_copy(tmp_path / "copy.tif", pieces, plan)
    assert (tmp_path / "copy.tif").stat().st_size == source.stat().st_size
    with open_raster(tmp_path / "copy.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(1, window=Window(70, 60, 20, 15)), pixels[60:75, 70:90])
    for row, col in itertools.product((0, 30, 61, 100, 149), (0, 40, 71, 130, 199)):
        image = plan.layout.images[0]
        held = plan.parts[0].spans.keys() >= set(image.blocks((row, col, row + 1, col + 1)))
        assert can_read(tmp_path / "copy.tif", Window(col, row, 1, 1)) == held, (row, col)


@pytest.mark.parametrize("codec", CODECS)
def test_a_copy_without_any_block_fails_wherever_it_is_read(tmp_path: Path, codec: str) -> None:
    source = write_raster(tmp_path / "a.tif", numbers(HEIGHT, WIDTH), compress=codec, blockysize=5)
    pieces, layout = fetched(source.read_bytes())
    write_copy(tmp_path / "copy.tif", pieces, Plan(layout=layout, parts=()))
    assert not any(can_read(tmp_path / "copy.tif", Window(0, row, 1, 1)) for row in range(0, HEIGHT, 5))


def sparse_file(path: Path) -> Path:
    """Write a tiled file of which only the first tile is there."""
    profile = {"driver": "GTiff", "height": 96, "width": 96, "count": 1, "dtype": "uint16", "nodata": 7}
    given_ = {"crs": "EPSG:32636", "transform": rasterio.Affine(10, 0, 7e5, 0, -10, 39e5)}
    with rasterio.open(
        path, "w", tiled=True, blockxsize=32, blockysize=32, sparse_ok=True, **profile, **given_
    ) as file:
        file.write(numbers(32, 32)[np.newaxis], window=Window(0, 0, 32, 32))
    return path


def test_blocks_that_the_file_leaves_out_are_left_out_of_the_copy(tmp_path: Path) -> None:
    source = sparse_file(tmp_path / "a.tif")
    pieces, plan = planned(source.read_bytes(), (0, 0, 40, 40))
    assert sorted(plan.parts[0].spans) == [0, 1, 3, 4]
    assert [plan.parts[0].spans[block] for block in (1, 3, 4)] == [(0, 0)] * 3
    write_copy(tmp_path / "copy.tif", pieces, plan)
    with open_raster(tmp_path / "copy.tif") as copy, open_raster(source) as full:
        np.testing.assert_array_equal(
            copy.read(1, window=Window(0, 0, 64, 64)), full.read(1, window=Window(0, 0, 64, 64))
        )
    assert not can_read(tmp_path / "copy.tif", Window(64, 64, 1, 1))


@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_all_bands_of_a_file_come_along(tmp_path: Path, interleave: str) -> None:
    pixels = np.stack([numbers(96, 96, seed) for seed in range(3)])
    source = write_raster(
        tmp_path / "a.tif", pixels, tiled=True, blockxsize=32, blockysize=32, interleave=interleave, compress="deflate"
    )
    pieces, plan = planned(source.read_bytes(), (33, 33, 60, 60))
    assert len(plan.parts[0].spans) == (1 if interleave == "pixel" else 3)
    write_copy(tmp_path / "copy.tif", pieces, plan)
    with open_raster(tmp_path / "copy.tif") as copy:
        np.testing.assert_array_equal(copy.read(window=Window(33, 33, 20, 20)), pixels[:, 33:53, 33:53])


def masked_file(path: Path) -> tuple[Path, np.ndarray[Any, Any]]:
    """Write a cloud-optimised file with a mask and overviews of both."""
    mask = np.where(np.add.outer(np.arange(700), np.arange(600)) % 3, 255, 0).astype(np.uint8)
    plain = path.with_name("plain.tif")
    profile = {"tiled": True, "blockxsize": 128, "blockysize": 128, "compress": "deflate"}
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"):
        write_raster(plain, numbers(700, 600), **profile)
        with rasterio.open(plain, "r+") as file:
            file.write_mask(mask)
            file.build_overviews([2, 4], Resampling.nearest)
        copy_raster(plain, path, driver="COG", blocksize=128, overviews="FORCE_USE_EXISTING", compress="LZW")
    return path, mask


def test_an_internal_mask_comes_along(tmp_path: Path) -> None:
    source, mask = masked_file(tmp_path / "a.tif")
    pieces, plan = planned(source.read_bytes(), (300, 300, 400, 420))
    write_copy(tmp_path / "copy.tif", pieces, plan)
    spot = Window(300, 300, 120, 100)
    with open_raster(tmp_path / "copy.tif") as copy:
        np.testing.assert_array_equal(copy.read_masks(1, window=spot), mask[300:400, 300:420])
        np.testing.assert_array_equal(copy.read(1, window=spot), numbers(700, 600)[300:400, 300:420])
    with pytest.raises(RefusedFileError), open_raster(tmp_path / "copy.tif") as copy:
        copy.read_masks(1, window=Window(0, 0, 10, 10))
    with pytest.raises(RefusedFileError), open_raster(tmp_path / "copy.tif") as copy:
        copy.read(1, out_shape=(175, 150))


def test_the_coarsest_overview_can_be_read_and_nothing_else(tmp_path: Path) -> None:
    source, _ = masked_file(tmp_path / "a.tif")
    pieces, plan = planned(source.read_bytes(), (0, 0, 0, 0), overview=True)
    image = plan.parts[0].image
    assert (image.height, image.width) == (175, 150)
    write_copy(tmp_path / "copy.tif", pieces, plan)
    with open_raster(tmp_path / "copy.tif") as copy, open_raster(source) as full:
        np.testing.assert_array_equal(copy.read(out_shape=(1, 175, 150)), full.read(out_shape=(1, 175, 150)))
        np.testing.assert_array_equal(
            copy.read_masks(1, out_shape=(175, 150)), full.read_masks(1, out_shape=(175, 150))
        )
    assert not can_read(tmp_path / "copy.tif", Window(0, 0, 10, 10))


@pytest.mark.parametrize("layout", PROFILES)
def test_tables_agree_with_tifffile(tmp_path: Path, layout: str) -> None:
    source = write_raster(tmp_path / "a.tif", numbers(HEIGHT, WIDTH), compress="deflate", **PROFILES[layout])
    pieces, found = fetched(source.read_bytes())
    image = found.images[0]
    plan = plan_area(whole(source), found, image, image.all)
    with tifffile.TiffFile(source) as oracle:
        page = oracle.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        wanted = list(zip(page.dataoffsets, page.databytecounts, strict=True))
        assert (image.height, image.width) == page.shape
    assert [plan.parts[0].spans[block] for block in range(len(wanted))] == wanted
    assert sum(len(content) for _, content in pieces) < source.stat().st_size / 4


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_directories_behind_the_pixels_and_in_a_chain_are_found(tmp_path: Path, big: bool, order: Any) -> None:
    source = tmp_path / "a.tif"
    with tifffile.TiffWriter(source, bigtiff=big, byteorder=order) as writer:
        for seed, size in ((1, 128), (2, 64), (3, 32)):
            writer.write(numbers(size, size, seed), tile=(16, 16), subfiletype=int(size < 128), compression="zlib")
    _, layout = fetched(source.read_bytes())
    assert [(one.height, one.reduced) for one in layout.images] == [(128, False), (64, True), (32, True)]
    assert coarsest_image(layout).height == 32


def test_overviews_in_sub_directories_are_found(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    with tifffile.TiffWriter(source) as writer:
        writer.write(numbers(128, 128), tile=(16, 16), subifds=1)
        writer.write(numbers(64, 64), tile=(16, 16), subfiletype=1)
    _, layout = fetched(source.read_bytes())
    assert [one.height for one in layout.images] == [128, 64]


# What a file may claim


def patched(content: bytes, tag: int, **changed: int) -> bytes:
    """Return a classic little-endian TIFF with another type, count or value of a tag of its first directory."""
    result = bytearray(content)
    (start,) = struct.unpack_from("<I", result, 4)
    (entries,) = struct.unpack_from("<H", result, start)
    for at in range(start + 2, start + 2 + 12 * entries, 12):
        found, kind, count, value = struct.unpack_from("<HHII", result, at)
        if found == tag:
            entry = {"kind": kind, "count": count, "value": value} | changed
            struct.pack_into("<HHII", result, at, tag, entry["kind"], entry["count"], entry["value"])
    assert bytes(result) != content
    return bytes(result)


def tiled_file(tmp_path: Path) -> bytes:
    pixels = numbers(128, 128)
    return write_raster(tmp_path / "a.tif", pixels, tiled=True, blockxsize=64, blockysize=64).read_bytes()


@pytest.mark.parametrize(
    ("tag", "changed", "says"),
    [
        (256, {"value": 2**31, "kind": 4}, "the cap is"),
        (256, {"value": 0}, "declares"),
        (322, {"value": 0}, "declares"),
        (322, {"value": 2**30, "kind": 4}, "the cap is"),
        (277, {"value": 60_000}, "60000 x"),
        (324, {"count": 1}, "1 entries for 4 blocks"),
        (324, {"value": 2**31}, "ends beyond"),
        (324, {"kind": 12}, "lacks the table"),
        (34735, {"count": 2**31}, "directories hold more than"),
        (34735, {"count": 2_000_000}, "points to"),
        (33550, {"value": 2**31}, "points to"),
    ],
)
def test_a_directory_that_lies_is_refused(tmp_path: Path, tag: int, changed: dict[str, int], says: str) -> None:
    content = patched(tiled_file(tmp_path), tag, **changed)
    with pytest.raises(RefusedFileError, match=says):
        fetched(content)


def with_table(content: bytes, tag: int, values: list[int]) -> bytes:
    """Return a TIFF with other numbers in a table of four."""
    result = bytearray(content)
    (start,) = struct.unpack_from("<I", result, 4)
    (entries,) = struct.unpack_from("<H", result, start)
    fields = [struct.unpack_from("<HHII", result, start + 2 + 12 * index) for index in range(entries)]
    (position,) = [value for found, _, _, value in fields if found == tag]
    (kind,) = [kind for found, kind, _, _ in fields if found == tag]
    struct.pack_into("<4" + {3: "H", 4: "I"}[kind], result, position, *values)
    return bytes(result)


@pytest.mark.parametrize(
    ("offsets", "counts", "says"),
    [
        ([1000, 9192, 17384, 2**31], [8192] * 4, "lies at 2,147,483,648"),
        ([0, 9192, 17384, 25576], [8192] * 4, "lies at 0"),
        ([1000, 5000, 17384, 25576], [8192] * 4, "two blocks overlap"),
        ([1000, 9192, 17384, 25576], [8192, 8192, 8192, 2**31], "has 2,147,483,648 bytes"),
        ([1000, 9192, 17384, 25576], [8192, 8192, 8192, 16_384 + BLOCK_SLACK + 1], "block 3 of 8,192 bytes"),
    ],
)
def test_blocks_that_cannot_lie_so_are_refused(
    tmp_path: Path, offsets: list[int], counts: list[int], says: str
) -> None:
    kind = {"kind": 4}
    content = tiled_file(tmp_path) + bytes(200_000)
    if max(counts) >= 1 << 16:
        content = patched(content, 325, value=len(content), **kind) + bytes(16)
    content = with_table(with_table(content, 324, offsets), 325, counts)
    with pytest.raises(RefusedFileError, match=says):
        planned(content, (0, 0, 128, 128))


def test_two_entries_for_the_same_block_are_no_overlap(tmp_path: Path) -> None:
    content = tiled_file(tmp_path)
    (first, count) = planned(content, (0, 0, 1, 1))[1].spans[0]
    _, plan = planned(with_table(content, 324, [first] * 4), (0, 0, 128, 128))
    assert plan.spans == [(first, count)]


def test_a_circle_of_directories_is_refused(tmp_path: Path) -> None:
    content = bytearray(tiled_file(tmp_path))
    (start,) = struct.unpack_from("<I", content, 4)
    (entries,) = struct.unpack_from("<H", content, start)
    struct.pack_into("<I", content, start + 2 + 12 * entries, start)
    with pytest.raises(RefusedFileError, match="circle"):
        fetched(bytes(content))


@pytest.mark.parametrize("head", [b"PK\3\4....", b"<!DOCTYP", b"II\0\0\0\0\0\0", b"II+\0\4\0\0\0", b"MM\0*\0\0\0\0"])
def test_what_is_no_tiff_is_refused(head: bytes) -> None:
    with pytest.raises(RefusedFileError):
        fetched(head + bytes(100))


def test_a_table_of_short_numbers_asks_for_the_whole_file(tmp_path: Path) -> None:
    content = tiled_file(tmp_path) + bytes(70_000)
    pieces, layout = fetched(patched(content, 324, kind=3))
    with pytest.raises(UnplannedFileError):
        write_copy(tmp_path / "copy.tif", pieces, Plan(layout=layout, parts=()))


def test_a_byte_that_is_not_here_stops_the_copy(tmp_path: Path) -> None:
    content = tiled_file(tmp_path)
    pieces, _ = fetched(content)
    plan = planned(content, (0, 0, 1, 1))[1]
    first, count = plan.spans[0]
    pieces.add(first, content[first : first + count - 1])
    with pytest.raises(MissingBytesError):
        write_copy(tmp_path / "copy.tif", pieces, plan)


spans = st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 400)), max_size=12)


@given(spans, st.integers(0, 300), st.integers(50, 1000))
def test_coalesced_spans_cover_all_and_little_more(wanted: list[tuple[int, int]], gap: int, longest: int) -> None:
    result = coalesce(wanted, gap=gap, longest=longest)
    covered = [byte for first, count in result for byte in range(first, first + count)]
    needed = {byte for first, count in wanted for byte in range(first, first + count)}
    assert len(covered) == len(set(covered))
    assert covered == sorted(covered)
    assert needed <= set(covered)
    extra = sorted(set(covered) - needed)
    lengths = [len(list(run)) for _, run in itertools.groupby(enumerate(extra), lambda pair: pair[1] - pair[0])]
    assert all(length <= gap for length in lengths)
    assert all(count <= longest for _, count in result)


@given(st.binary(min_size=50, max_size=50), st.lists(st.tuples(st.integers(0, 49), st.integers(1, 50)), max_size=8))
def test_pieces_give_what_they_hold_and_name_what_they_lack(content: bytes, parts: list[tuple[int, int]]) -> None:
    pieces, held = Pieces(50), set[int]()
    for first, count in parts:
        pieces.add(first, content[first : first + count])
        held |= set(range(first, min(first + count, 50)))
    for first, count in itertools.product(range(0, 50, 7), (1, 5, 20)):
        if first + count > 50:
            continue
        lacking = [byte for byte in range(first, first + count) if byte not in held]
        if lacking:
            with pytest.raises(MissingBytesError) as raised:
                pieces.read(first, count)
            assert raised.value.span == (lacking[0], first + count - lacking[0])
        else:
            assert pieces.read(first, count) == content[first : first + count]
