"""Files that try to make a reader open, write or allocate what it must not."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from tests.rasters import CORNER, numbers, write_raster
from tests.safe_fixture import Safe, write_safe, zip_folder

SECRET = 77
"""What every pixel of the canary holds."""


def write_canary(folder: Path) -> Path:
    """Write a raster that no reader of another folder may see."""
    folder.mkdir()
    return write_raster(folder / "canary.tif", np.full((512, 512), SECRET, np.uint8))


def vrt(path: Path, canary: Path) -> None:
    """Write a VRT that shows the canary's pixels as its own."""
    path.write_text(
        '<VRTDataset rasterXSize="512" rasterYSize="512"><SRS>EPSG:32636</SRS>'
        "<GeoTransform>700000, 10, 0, 3900000, 0, -10</GeoTransform>"
        '<VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        f'<SourceFilename relativeToVRT="0">{canary}</SourceFilename><SourceBand>1</SourceBand>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )


def mrf(path: Path, canary: Path) -> None:
    """Write an MRF that, when it is read, copies the canary into two new files beside it."""
    new = canary.parent / "written"
    path.write_text(
        f"<MRF_META><CachedSource><Source>{canary}</Source></CachedSource><Raster>"
        '<Size x="512" y="512" c="1"/><PageSize x="512" y="512" c="1"/><Compression>DEFLATE</Compression>'
        f"<DataType>Byte</DataType><DataFile>{new}.data</DataFile><IndexFile>{new}.idx</IndexFile></Raster>"
        '<GeoTags><BoundingBox minx="700000" miny="3894880" maxx="705120" maxy="3900000"/>'
        "<Projection>EPSG:32636</Projection></GeoTags></MRF_META>"
    )


def png(path: Path, canary: Path) -> None:  # noqa: ARG001
    """Write a PNG."""
    write_raster(path, np.ones((40, 60), np.uint8), driver="PNG", crs=None, transform=Affine.identity())
    path.with_name(f"{path.name}.aux.xml").unlink(missing_ok=True)


def bomb(path: Path, canary: Path) -> None:  # noqa: ARG001
    """Write 1.5 kB that declare 100 000 x 100 000 pixels."""
    write_sparse(path, 100_000, blocksize=16_384)


def large_blocks(path: Path, canary: Path) -> None:  # noqa: ARG001
    """Write a file one block of which takes 134 MB."""
    write_sparse(path, 16_384, blocksize=8192)


def write_sparse(path: Path, size: int, *, blocksize: int) -> None:
    """Write a GeoTIFF that has no block at all."""
    tiles = {"tiled": True, "blockxsize": blocksize, "blockysize": blocksize, "SPARSE_OK": True}
    place = {"crs": "EPSG:32636", "transform": Affine(10, 0, CORNER[0], 0, -10, CORNER[1])}
    with rasterio.open(path, "w", driver="GTiff", width=size, height=size, count=1, dtype="uint16", **place, **tiles):
        pass


def many_bands(path: Path, canary: Path) -> None:  # noqa: ARG001
    """Write a file of 65 bands."""
    write_raster(path, np.ones((65, 8, 8), np.uint8))


def truncated(path: Path, canary: Path) -> None:  # noqa: ARG001
    """Write half a file."""
    write_raster(path, numbers())
    path.write_bytes(path.read_bytes()[: 40 * 60])


def no_crs(path: Path, canary: Path) -> None:  # noqa: ARG001
    """Write a file without a CRS."""
    write_raster(path, numbers(), crs=None)


def no_place(path: Path, canary: Path) -> None:  # noqa: ARG001
    """Write a file that has a CRS and does not say where it lies."""
    write_raster(path, numbers(), transform=Affine.identity())


def rotated(path: Path, canary: Path) -> None:  # noqa: ARG001
    """Write a file whose rows do not run east."""
    write_raster(path, numbers(), transform=Affine(9.8, 1.7, CORNER[0], 1.7, -9.8, CORNER[1]))


def south_up(path: Path, canary: Path) -> None:  # noqa: ARG001
    """Write a file whose first row is the southernmost."""
    write_raster(path, numbers(), transform=Affine(10, 0, CORNER[0], 0, 10, CORNER[1]))


def complex_numbers(path: Path, canary: Path) -> None:  # noqa: ARG001
    """Write a file of complex numbers."""
    write_raster(path, np.ones((40, 60), np.complex64))


def empty(path: Path, canary: Path) -> None:  # noqa: ARG001
    """Write nothing."""
    path.write_bytes(b"")


def link_out(path: Path, canary: Path) -> None:
    """Link to the canary."""
    path.symlink_to(canary)


RASTERS: Mapping[str, tuple[Callable[[Path, Path], None], str]] = {
    "vrt": (vrt, "neither TIFF nor JPEG 2000"),
    "mrf": (mrf, "neither TIFF nor JPEG 2000"),
    "png": (png, "neither TIFF nor JPEG 2000"),
    "empty": (empty, "is empty"),
    "bomb": (bomb, "declares 100000 x 100000 px, over the cap"),
    "large-blocks": (large_blocks, "has blocks of 8192 x 8192 px"),
    "many-bands": (many_bands, "declares 65 bands"),
    "truncated": (truncated, "truncated"),
    "no-crs": (no_crs, "no coordinate reference system"),
    "no-place": (no_place, "no georeference"),
    "rotated": (rotated, "rotated, sheared or not north up"),
    "south-up": (south_up, "rotated, sheared or not north up"),
    "complex": (complex_numbers, "complex64 numbers"),
    "link-out": (link_out, "leads out of the folder"),
}
"""How to write it, and the words of the refusal."""


def side_files(path: Path, canary: Path) -> None:
    """Put beside a raster everything that GDAL looks for there, all of it lying."""
    name = path.name
    path.with_name(f"{name}.aux.xml").write_text(
        "<PAMDataset><SRS>EPSG:32637</SRS><GeoTransform>1, 2, 0, 3, 0, -2</GeoTransform>"
        '<PAMRasterBand band="1"><NoDataValue>5</NoDataValue></PAMRasterBand></PAMDataset>'
    )
    vrt(path.with_name(f"{name}.ovr"), canary)
    shutil.copy(canary, path.with_name(f"{name}.msk"))
    for suffix in (".tfw", ".j2w", ".wld"):
        path.with_suffix(suffix).write_text("2\n0\n0\n-2\n1\n3\n")


@dataclass(frozen=True, kw_only=True)
class Zip:
    """A zip to write, wrong in one way."""

    reason: str
    """The words of the refusal."""
    extra: Mapping[str, bytes] | None = None
    """Members beside those of a good product; "TOP" stands for its folder."""


MEGABYTE = bytes(2**20)
ZIPS = {
    "dots": Zip(extra={"TOP/../../outside.txt": b"x"}, reason="a name that no product uses"),
    "absolute": Zip(extra={"/tmp/outside.txt": b"x"}, reason="a name that no product uses"),
    "backslash": Zip(extra={"TOP/..\\outside.txt": b"x"}, reason="a name that no product uses"),
    "drive": Zip(extra={"C:/outside.txt": b"x"}, reason="a name that no product uses"),
    "hidden-dots": Zip(extra={"TOP/.../x.txt": b"x"}, reason="a name that no product uses"),
    "too-deep": Zip(extra={"TOP/" + "a/" * 12 + "x.txt": b"x"}, reason="a name that no product uses"),
    "second-top": Zip(extra={"other/x.txt": b"x"}, reason=r"not one \*.SAFE folder"),
    "bomb": Zip(extra={"TOP/GRANULE/bomb.bin": 64 * MEGABYTE}, reason="unpacks 65,.* to 67,108,864 bytes"),
    "nested": Zip(extra={"TOP/inner.zip": b"PK"}, reason="an archive inside the archive"),
    "case": Zip(extra={"TOP/Mtd_msil2a.XML": b"x"}, reason="differs only in upper and lower case"),
}
"""Zips that differ from a good product by one member."""


def write_zip(path: Path, case: Zip, folder: Path, *, day: str = "20241217") -> None:
    """Write a good product with the members of a case added; `folder` is for the unpacked product."""
    top = write_safe(folder, Safe(day=day))
    extra = {name.replace("TOP", top.name): content for name, content in (case.extra or {}).items()}
    zip_folder(top, path, extra=extra)


def add_link(path: Path, target: Path) -> None:
    """Add a symbolic link to a zip."""
    with zipfile.ZipFile(path, "a") as archive:
        entry = zipfile.ZipInfo(f"{archive.namelist()[0].split('/')[0]}/link.xml")
        entry.create_system = 3
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, os.fspath(target))


def add_twice(path: Path) -> None:
    """Add a member that is there already."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(next(name for name in archive.namelist() if name.endswith(".xml")), b"<other/>")


def mark_encrypted(path: Path) -> None:
    """Set the encryption bit of the first member, in its own header and in the list of members."""
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature) + offset
        content[at : at + 2] = struct.pack("<H", struct.unpack("<H", content[at : at + 2])[0] | 1)
    path.write_bytes(content)


def crowd(path: Path, count: int, *, admitted: int | None = None) -> None:
    """Write a zip that lists very many empty members, and admits to `admitted` of them."""
    stamp = struct.pack("<4B4HL2L", 20, 0, 20, 0, 0, 0, 0, 33, 0, 0, 0)
    names = [f"X.SAFE/{k}".encode() for k in range(count)]
    entries = [b"PK\x01\x02" + stamp + struct.pack("<5H2L", len(n), 0, 0, 0, 0, 0, 0) + n for n in names]
    listed, said = b"".join(entries), min(count if admitted is None else admitted, 0xFFFF)
    path.write_bytes(listed + b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, said, said, len(listed), 0, 0))


def cut(path: Path) -> None:
    """Cut the end off a zip."""
    path.write_bytes(path.read_bytes()[:-200])


def damage(path: Path, name: str) -> None:
    """Turn bytes in the middle of a stored member's content."""
    with zipfile.ZipFile(path) as archive:
        entry = next(entry for entry in archive.infolist() if entry.filename.endswith(name))
    content = bytearray(path.read_bytes())
    start = entry.header_offset + 30 + len(entry.filename) + entry.compress_size // 2
    content[start : start + 8] = bytes(b ^ 0xFF for b in content[start : start + 8])
    path.write_bytes(content)


ENTITIES = "<!DOCTYPE bomb [" + '<!ENTITY a0 "boom">' + "".join(
    f'<!ENTITY a{k} "{f"&a{k - 1};" * 10}">' for k in range(1, 10)
) + "]>"  # fmt: skip
"""The billion laughs."""


def external_entity(canary: Path) -> str:
    """Return a document type that asks for a file."""
    return f'<!DOCTYPE x [<!ENTITY secret SYSTEM "{canary.as_uri()}">]>'
