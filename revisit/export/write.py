"""Which format is written by what, whole or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from revisit.errors import UsageError
from revisit.export.film import write_animation, write_film
from revisit.export.gpkg import write_geopackage
from revisit.export.kmz import write_kmz
from revisit.export.overlays import write_overlays
from revisit.export.pdf import write_pdf
from revisit.export.pictures import write_sheet, write_stack
from revisit.export.qgis import flags_style
from revisit.export.tables import as_csv, as_geojson
from revisit.runs import SavedRun, find_runs

Runs = Sequence[SavedRun]


@dataclass(frozen=True, kw_only=True)
class Format:
    """One form of an export."""

    suffix: str
    write: Callable[[Runs, Path], None]
    many: bool = False
    """Whether it shows several runs of one area."""
    styled: bool = False
    """Whether a style for QGIS goes beside it, under the same name."""


FORMATS: Mapping[str, Format] = {
    "gpkg": Format(suffix=".gpkg", write=lambda runs, path: write_geopackage(runs[0], path), styled=True),
    "kmz": Format(suffix=".kmz", write=lambda runs, path: write_kmz(runs[0], path)),
    "geojson": Format(suffix=".geojson", write=lambda runs, path: _save(path, as_geojson(runs[0])), styled=True),
    "csv": Format(suffix=".csv", write=lambda runs, path: _save(path, as_csv(runs[0]))),
    "cog": Format(suffix=".tif", write=lambda runs, path: write_stack(runs[0], path)),
    "overlays": Format(suffix="-overlays.zip", write=lambda runs, path: write_overlays(runs[0], path)),
    "png": Format(suffix=".png", write=lambda runs, path: write_sheet(runs[0], path)),
    "pdf": Format(suffix=".pdf", write=lambda runs, path: write_pdf(runs[0], path)),
    "gif": Format(suffix=".gif", write=lambda runs, path: write_animation(runs, path, "GIF"), many=True),
    "webp": Format(suffix=".webp", write=lambda runs, path: write_animation(runs, path, "WEBP"), many=True),
    "mp4": Format(suffix=".mp4", write=write_film, many=True),
}


def _save(path: Path, content: bytes) -> None:
    """Write a file's bytes."""
    path.write_bytes(content)


def _chosen(folder: Path, name: str) -> list[SavedRun]:
    """Return the runs that an export shows."""
    runs, problems = find_runs(folder)
    if not runs:
        raise UsageError(problems[0] if problems else f"{folder} holds no run; give the folder that `-o` named")
    if len(runs) > 1 and not FORMATS[name].many:
        several = ", ".join(format_name for format_name, one in FORMATS.items() if one.many)
        raise UsageError(f"{folder} holds {len(runs)} runs; give one of them. Several go into {several} only")
    return runs


def _target(folder: Path, out: Path | None, suffix: str) -> Path:
    """Return where an export goes: beside the run, because a run's folder holds what the run wrote and nothing else."""
    whole = folder.resolve()
    path = out or whole.with_name(f"{whole.name}{suffix}")
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file with -o")
    if path.resolve().parent == whole:
        raise UsageError(
            f"{path} lies inside the run's folder, which holds the run alone; choose another place with -o"
        )
    return path


def export(folder: Path, name: str, out: Path | None = None) -> list[Path]:
    """Write a run in another form.

    Parameters
    ----------
    folder
        Of a run; for films also one that holds several runs of one area.
    name
        One of `FORMATS`.
    out
        The file, replaced where it exists; None: beside the folder, with the format's suffix.

    Returns
    -------
    list of Path
        What was written: the file, and a style for QGIS where there is one.

    Raises
    ------
    UsageError
        For an unknown format, no run, several where one is needed, and a place that cannot be written to.
    """
    if name not in FORMATS:
        raise UsageError(f"there is no format {name!r}; there are {', '.join(FORMATS)}")
    chosen = FORMATS[name]
    runs, path = _chosen(folder, name), _target(folder, out, chosen.suffix)
    part = path.with_name(f".{secrets.token_hex(4)}{chosen.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        chosen.write(runs, part)
        part.replace(path)
        if chosen.styled:
            path.with_suffix(".qml").write_text(flags_style(), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    return [path, path.with_suffix(".qml")] if chosen.styled else [path]
