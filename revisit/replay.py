"""The computation of an evidence pack, done again from the pack alone, and held against what it holds."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from revisit.check import check_claims
from revisit.claims import Claims, parse_claims
from revisit.dossier import BESIDE, CHECK, CLAIMS, SCHEMA, dossier_folder, write_dossier
from revisit.errors import UsageError
from revisit.manifest import software
from revisit.pack import DIGEST, MANIFEST, read_members
from revisit.places import AREA_FILE
from revisit.recording import open_recording

CLOCKED = ("timings_s", "exchange")
"""What a clock and a network wrote into a run's manifest."""


@dataclass(frozen=True, kw_only=True)
class Replay:
    """A pack that was computed again."""

    files: int
    """How many files were held against each other."""
    differing: tuple[str, ...]
    """Names of those that are not the same, or are missing on one side."""
    versions: tuple[str, ...]
    """Software that is not the one of the pack, one line each."""

    @property
    def same(self) -> bool:
        """Whether every byte is the same."""
        return not self.differing


def _unpack(members: Mapping[str, bytes], folder: Path, below: str) -> None:
    """Write the members below a folder of the pack; `revisit.pack` lets no name leave it."""
    for name, content in members.items():
        if PurePosixPath(name).parts[0] == below:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _record(members: Mapping[str, bytes], pack: Path) -> dict[str, Any]:
    """Return the record of the check that made a pack."""
    try:
        record: dict[str, Any] = json.loads(members[CHECK])
        if record["schema"] != SCHEMA:
            raise UsageError(f"{pack} was made by another version: its check is {str(record['schema'])[:40]!r}")
        missing = [key for key in ("claims", "source", "areas", "software") if key not in record]
    except (KeyError, ValueError, TypeError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{pack} holds no check that can be repeated") from error
    if missing or CLAIMS not in members:
        raise UsageError(f"{pack} holds no check that can be repeated: {', '.join(missing) or CLAIMS} is missing")
    return record


def _claims(members: Mapping[str, bytes], record: Mapping[str, Any], folder: Path) -> Claims:
    """Return the claims of a pack, with its own copies of their areas."""
    files = {str(area["where"]): folder / "inputs" / str(area["slug"]) / AREA_FILE for area in record["areas"]}
    text = members[CLAIMS].decode("utf-8")
    return parse_claims(text, name=str(record["claims"]), path=CLAIMS, files=files)


def comparable(name: str, content: bytes) -> bytes:
    """Return a file's bytes without what a clock or a network wrote, and without checksums of that."""
    file = PurePosixPath(name).name
    if file not in ("run.json", "item.json"):
        return content
    values = json.loads(content)
    for key in CLOCKED:
        values.pop(key, None)
    if file == "item.json":
        values["assets"].pop("run.json", None)
    return json.dumps(values, sort_keys=True).encode()


def _differing(members: Mapping[str, bytes], folder: Path) -> tuple[str, ...]:
    """Return the names of files that are not the same in a pack and in a folder."""
    made = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    made = {name: path for name, path in made.items() if name not in BESIDE}
    both = members.keys() | made.keys()
    return tuple(
        name
        for name in sorted(both)
        if name not in members
        or name not in made
        or comparable(name, members[name]) != comparable(name, made[name].read_bytes())
    )


def _versions(recorded: Mapping[str, Any]) -> tuple[str, ...]:
    """Return which software differs from the recorded."""
    now = software()
    names = sorted(recorded.keys() | now.keys())
    return tuple(
        f"{name}: {recorded.get(name, 'none')} then, {now.get(name, 'none')} now"
        for name in names
        if recorded.get(name) != now.get(name)
    )


def replay(pack: Path, *, out: Path | None, tell: Callable[[str], None]) -> Replay:
    """Repeat the check of a pack from what the pack holds, without a network.

    Parameters
    ----------
    pack
        An intact evidence pack.
    out
        Where the repeated check goes; None: it is thrown away.
    tell
        Told of each step.

    Raises
    ------
    UsageError
        Where the pack is not intact, or holds no check.
    """
    members = read_members(pack)
    record = _record(members, pack)
    with (
        tempfile.TemporaryDirectory(prefix="revisit-replay-") as scratch,
        dossier_folder(out or Path(scratch) / "check") as folder,
    ):
        _unpack(members, folder, "inputs")
        dossier = check_claims(
            _claims(members, record, folder),
            spec=str(record["source"]),
            folder=folder,
            source_of=open_recording,
            tell=tell,
        )
        write_dossier(dossier, folder)
        held = {name: content for name, content in members.items() if name not in (MANIFEST, DIGEST)}
        differing = _differing(held, folder)
    return Replay(files=len(held), differing=differing, versions=_versions(record["software"]))
