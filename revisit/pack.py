"""The evidence pack: one zip file in which every bit counts.

Members are stored without compression, in the order of their names, with one fixed date, so that the bytes of a pack
follow from its members alone: whoever reads a pack can write it again and compare. `manifest.json` holds the SHA-256 of
every other member, `manifest.sha256` that of the manifest.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from revisit.errors import UsageError
from revisit.plain import to_json

SCHEMA = "revisit/evidence/1"
MANIFEST, DIGEST = "manifest.json", "manifest.sha256"
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The earliest date that a zip file can hold: a member's time says nothing and would change the bytes."""
MEMBER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,199}){0,7}")
MOST_MEMBERS = 20_000
MOST_BYTES = 4 << 30
"""Of all members together."""


@dataclass(frozen=True, kw_only=True)
class Pack:
    """A pack that was read and found intact."""

    path: Path
    manifest: Mapping[str, Any]
    sha256: str
    """Of the whole file."""


def _digest(content: bytes) -> str:
    """Return the SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def _put(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Store a member, the same bytes for the same content."""
    info = zipfile.ZipInfo(name, LONG_AGO)
    info.create_system, info.external_attr = 3, 0o644 << 16
    archive.writestr(info, content, zipfile.ZIP_STORED)


def _manifest(digests: Mapping[str, str], sizes: Mapping[str, int], about: Mapping[str, Any]) -> bytes:
    """Return the bytes of the manifest."""
    members = {name: {"sha256": digests[name], "bytes": sizes[name]} for name in sorted(digests)}
    return to_json({"schema": SCHEMA, **about, "members": members}).encode()


def write_pack(folder: Path, target: Path, *, about: Mapping[str, Any]) -> str:
    """Write all files below a folder as a pack: the whole file or nothing.

    Parameters
    ----------
    folder
        What goes in; links are refused.
    target
        The zip file; replaced where it exists.
    about
        Plain JSON values for the manifest, such as the command and the versions.

    Returns
    -------
    str
        SHA-256 of the pack.

    Raises
    ------
    UsageError
        Where a file cannot be packed.
    """
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if not path.is_dir()}
    for name, path in files.items():
        if path.is_symlink() or not MEMBER.fullmatch(name) or name in (MANIFEST, DIGEST):
            raise UsageError(f"{name} cannot go into a pack: a link, or a name that is not plain")
    contents = {name: path.read_bytes() for name, path in files.items()}
    return write_bytes(target, pack_bytes(contents, about=about))


def pack_bytes(contents: Mapping[str, bytes], *, about: Mapping[str, Any]) -> bytes:
    """Return the bytes of the pack of these members."""
    digests = {name: _digest(content) for name, content in contents.items()}
    manifest = _manifest(digests, {name: len(content) for name, content in contents.items()}, about)
    digest = f"{_digest(manifest)}  {MANIFEST}\n".encode()
    return _zipped({**contents, MANIFEST: manifest, DIGEST: digest})


def _zipped(contents: Mapping[str, bytes]) -> bytes:
    """Return the zip file of members, always the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(contents):
            _put(archive, name, contents[name])
    return buffer.getvalue()


def write_bytes(target: Path, content: bytes) -> str:
    """Write a file, all of it or nothing, and return its SHA-256."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".writing-") as stage:
        staged = Path(stage) / "pack"
        with staged.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(target)
    return _digest(content)


def _members(content: bytes, path: Path) -> dict[str, bytes]:
    """Return the members of a zip file, refusing what no pack has."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = archive.infolist()
            if len(infos) > MOST_MEMBERS or sum(info.file_size for info in infos) > MOST_BYTES:
                raise UsageError(f"{path} holds more than a pack may: {MOST_MEMBERS} files, {MOST_BYTES >> 30} GiB")
            odd = [
                i.filename for i in infos if i.compress_type != zipfile.ZIP_STORED or not MEMBER.fullmatch(i.filename)
            ]
            if odd or len({info.filename for info in infos}) != len(infos):
                raise UsageError(f"{path} is no evidence pack: {(odd or ['a name that comes twice'])[0]!r}")
            return {info.filename: archive.read(info) for info in infos}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{path} is damaged or no evidence pack: {error}") from error


def _faults(members: Mapping[str, bytes]) -> Iterator[str]:
    """Yield what is wrong with the members of a pack, one line each."""
    if MANIFEST not in members or DIGEST not in members:
        yield f"{MANIFEST} or {DIGEST} is missing"
        return
    if members[DIGEST] != f"{_digest(members[MANIFEST])}  {MANIFEST}\n".encode():
        yield f"{MANIFEST} is not the one whose SHA-256 stands in {DIGEST}"
    listed = _listed(members[MANIFEST])
    held = set(members) - {MANIFEST, DIGEST}
    yield from (f"{name} is listed and missing" for name in sorted(set(listed) - held))
    yield from (f"{name} is not listed" for name in sorted(held - set(listed)))
    yield from (
        f"{name} is not as it was recorded"
        for name in sorted(held & set(listed))
        if _differs(members[name], listed[name])
    )


def _listed(manifest: bytes) -> dict[str, Any]:
    """Return the members that a manifest lists; none where it cannot be read."""
    try:
        listed = json.loads(manifest)["members"]
    except (ValueError, TypeError, LookupError):
        return {}
    return dict(listed) if isinstance(listed, dict) else {}


def _differs(content: bytes, entry: Any) -> bool:
    """Return whether a member is not the one that its entry describes."""
    return not isinstance(entry, dict) or entry.get("sha256") != _digest(content) or entry.get("bytes") != len(content)


def read_members(path: Path) -> dict[str, bytes]:
    """Return the members of an intact pack.

    Raises
    ------
    UsageError
        Where it cannot be read, or anything in it is not as it was recorded; the message names all that is.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"the pack {path} cannot be read: {error.strerror}") from error
    members = _members(content, path)
    faults = list(_faults(members))
    if not faults and _zipped(members) != content:
        faults = ["the file's own structure (dates, names or order of its members) was touched"]
    if faults:
        raise UsageError(f"{path} is not as it was recorded: {'; '.join(faults[:5])}")
    return members


def verify_pack(path: Path) -> Pack:
    """Return a pack whose every bit is as it was recorded.

    Raises
    ------
    UsageError
        Where one is not; the message names the members.
    """
    members = read_members(path)
    manifest = json.loads(members[MANIFEST])
    if manifest.get("schema") != SCHEMA:
        raise UsageError(f"{path} has the schema {str(manifest.get('schema'))[:40]!r}; known is {SCHEMA}")
    return Pack(path=path, manifest=manifest, sha256=_digest(path.read_bytes()))
