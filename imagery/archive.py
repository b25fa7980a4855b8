"""A SAFE product as a set of named files, in a folder or in a zip: listed within caps, read one file at a time.

A zip is never unpacked. Its list of members is judged as a whole before anything is read; one bad name refuses it all.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from imagery.errors import RefusedFileError
from imagery.files import Blob, inside

MAX_MEMBERS = 20_000
"""Files of one product; ESA's largest old ones, of fifteen granules, have some five thousand."""
MAX_MEMBER_BYTES = 512 * 2**20
"""One file: a band of 10980 x 10980 px has 241 MB before compression."""
MAX_TOTAL_BYTES = 16 * 2**30
"""All files together, unpacked: twice ESA's largest old products."""
MAX_RATIO = 200
"""Unpacked over packed bytes of a file of a megabyte or more; the metadata reach 30, the images 1."""
MAX_DIRECTORY_BYTES = 16 * 2**20
"""The zip's own list of its members."""
MAX_LEVELS = 12
SEPARATOR = "!/"
"""Between the path of a zip and the name of a member in an asset's address."""

_NAME = re.compile(r"[A-Za-z0-9_.+-]{1,200}")
_UNREADABLE = (zipfile.BadZipFile, OSError, ValueError, NotImplementedError)
_MEMBER = re.compile(rf"(.+\.zip){SEPARATOR}(.+)", re.IGNORECASE)
_END_RECORD = b"PK\x05\x06"


class Product(Protocol):
    """A SAFE product; names are relative to its folder and use forward slashes."""

    @property
    def label(self) -> str:
        """Name of the product's folder, without .SAFE."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of all files, sorted."""

    def content(self, name: str) -> bytes:
        """Return the whole of one file."""

    def href(self, name: str) -> str:
        """Return the address under which `fetch_file` finds the file again."""


@dataclass(frozen=True, kw_only=True)
class FolderProduct:
    """A SAFE product that lies unpacked in a folder."""

    path: Path
    root: Path
    """What must not be left."""
    names: tuple[str, ...]

    @property
    def label(self) -> str:
        """Name of the product's folder, without .SAFE."""
        return self.path.name[: -len(".SAFE")]

    def content(self, name: str) -> bytes:
        """Return the whole of one file."""
        file = inside(self.root, self.path / name)
        if file.stat().st_size > MAX_MEMBER_BYTES:
            raise RefusedFileError(f"{name}: {file.stat().st_size:,} bytes, over the cap of {MAX_MEMBER_BYTES:,}")
        return file.read_bytes()

    def href(self, name: str) -> str:
        """Return the path of the file."""
        return str(inside(self.root, self.path / name))


@dataclass(frozen=True, kw_only=True)
class ZipProduct:
    """A SAFE product in a zip whose list of members has been judged."""

    path: Path
    top: str
    """The one folder at the top, *.SAFE."""
    names: tuple[str, ...]

    @property
    def label(self) -> str:
        """Name of the product's folder, without .SAFE."""
        return self.top[: -len(".SAFE")]

    def content(self, name: str) -> bytes:
        """Return the whole of one member."""
        return _read_member(self.path, f"{self.top}/{name}")

    def href(self, name: str) -> str:
        """Return an address that `fetch_member` understands."""
        return f"{self.path}{SEPARATOR}{self.top}/{name}"


def open_folder(path: Path, *, root: Path) -> FolderProduct:
    """List a SAFE product in a folder; links inside it are not followed.

    Raises
    ------
    RefusedFileError
        Where it has more than `MAX_MEMBERS` files.
    """
    names: list[str] = []
    for folder, subfolders, files in os.walk(path, followlinks=False):
        subfolders.sort()
        names += [(Path(folder) / name).relative_to(path).as_posix() for name in files]
        if len(names) > MAX_MEMBERS:
            raise RefusedFileError(f"holds more than {MAX_MEMBERS:,} files; no product does")
    return FolderProduct(path=path, root=root, names=tuple(sorted(names)))


def open_zip(path: Path) -> ZipProduct:
    """List a SAFE product in a zip, having judged every member's declaration.

    Raises
    ------
    RefusedFileError
        Where it is no readable zip of one *.SAFE folder, or a member has a name, a size or a type that no member of a
        product has, or is encrypted.
    """
    members = _members(path)
    tops = {name.split("/")[0] for name in members}
    if len(tops) != 1 or not next(iter(tops)).upper().endswith(".SAFE"):
        raise RefusedFileError(f"holds {', '.join(sorted(tops)[:3]) or 'nothing'} and not one *.SAFE folder")
    top = tops.pop()
    return ZipProduct(path=path, top=top, names=tuple(sorted(name[len(top) + 1 :] for name in members)))


def _members(path: Path) -> list[str]:
    """Return the names of the files of a zip."""
    _check_directory_size(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (*_UNREADABLE, struct.error) as error:
        raise RefusedFileError(f"is no readable zip ({error})") from error
    if len(entries) > MAX_MEMBERS:
        raise RefusedFileError(f"holds {len(entries):,} members, over the cap of {MAX_MEMBERS:,}")
    for entry in entries:
        _check_entry(entry)
    if sum(entry.file_size for entry in entries) > MAX_TOTAL_BYTES:
        raise RefusedFileError(f"unpacks to more than {MAX_TOTAL_BYTES:,} bytes")
    seen: set[str] = set()
    for entry in entries:
        folded = entry.filename.rstrip("/").casefold()
        if folded in seen:
            raise RefusedFileError(f"the member {folded[:80]!r} comes twice, or differs only in upper and lower case")
        seen.add(folded)
    return [entry.filename for entry in entries if not entry.is_dir()]


def _check_directory_size(path: Path) -> None:
    """Refuse a huge list of members before it is parsed."""
    try:
        with path.open("rb") as file:
            file.seek(-min(path.stat().st_size, 65_557), os.SEEK_END)
            tail = file.read()
    except OSError as error:
        raise RefusedFileError(f"cannot be read ({error.strerror})") from error
    at = tail.rfind(_END_RECORD)
    if at < 0 or at + 16 > len(tail):
        raise RefusedFileError("is no zip: it has no end record (cut short?)")
    count, size = struct.unpack("<HI", tail[at + 10 : at + 16])
    if count > MAX_MEMBERS or size > MAX_DIRECTORY_BYTES:
        raise RefusedFileError(f"declares {count:,} members in a list of {size:,} bytes; no product has so many")


def _check_entry(entry: zipfile.ZipInfo) -> None:
    """Refuse a member that no product has, by what the zip declares about it."""
    shown = repr(entry.filename)[:100]
    parts = entry.filename.rstrip("/").split("/")
    if not all(_NAME.fullmatch(part) and part.strip(".") for part in parts) or len(parts) > MAX_LEVELS:
        raise RefusedFileError(f"the member {shown} has a name that no product uses")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise RefusedFileError(f"the member {shown} is a link or a device")
    if entry.flag_bits & 0x1:
        raise RefusedFileError(f"the member {shown} is encrypted")
    if PurePosixPath(entry.filename).suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".7z"):
        raise RefusedFileError(f"the member {shown} is an archive inside the archive")
    bomb = entry.file_size > 2**20 and entry.file_size > MAX_RATIO * max(entry.compress_size, 1)
    if entry.file_size > MAX_MEMBER_BYTES or bomb:
        raise RefusedFileError(f"the member {shown} unpacks {entry.compress_size:,} to {entry.file_size:,} bytes")


def _read_member(path: Path, name: str) -> bytes:
    """Return one member of a zip, no more of it than it declares; the zip checks its CRC."""
    try:
        with zipfile.ZipFile(path) as archive:
            entry = archive.getinfo(name)
            _check_entry(entry)
            with archive.open(entry) as member:
                content = member.read(entry.file_size + 1)
    except (*_UNREADABLE, EOFError, KeyError, zlib.error) as error:
        raise RefusedFileError(f"{path.name}: the member {name} cannot be read ({error})") from error
    if len(content) != entry.file_size:
        raise RefusedFileError(f"{path.name}: the member {name} has {len(content)} of {entry.file_size} bytes")
    return content


def is_member(href: str) -> bool:
    """Return whether an address names a member of a zip."""
    return _MEMBER.fullmatch(href) is not None


def fetch_file(href: str, *, root: Path) -> Path | Blob:
    """Return the file of an address that a product or an Item gave: its path, or a zip's member in memory.

    Raises
    ------
    RefusedFileError
        Where it is not there any more, leads out of `root`, or cannot be read.
    """
    member = _MEMBER.fullmatch(href)
    if member:
        return Blob(name=PurePosixPath(member[2]).name, content=_read_member(inside(root, Path(member[1])), member[2]))
    return inside(root, Path(href))
