"""The dates one after the other, each with its date burnt in: GIF, WebP and MP4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from imagery.raster import Raster
from revisit.errors import UsageError
from revisit.export.pictures import frame_factor, mounted, panel, sensor_line
from revisit.legend import Strip
from revisit.picture import Stretch, shared_stretch
from revisit.runs import Role, SavedRun
from revisit.symbols import CASING, SIGN_COLOURS
from revisit.wording import plural, stamp

LONGEST = 1100
"""Of a frame's map, picture pixels."""
FRAME_S, LAST_S = 1.4, 2.8
"""Seconds that a date, and the last picture with the flags, stay."""
MOST_FRAMES = 120
CODECS = ("vp09", "mp4v")
"""VP9, which browsers show, else MPEG-4 part 2, which players show; H.264 is not in OpenCV's build."""
MP4_FPS = 5.0


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One picture of a film."""

    picture: Image.Image
    seconds: float


def _shots(runs: Sequence[SavedRun]) -> list[tuple[SavedRun, Role]]:
    """Return each date once, earliest first, with a run that has it."""
    roles: tuple[Role, Role] = ("before", "after")
    every = {run.acquired(role): (run, role) for run in reversed(runs) for role in roles}
    return [every[moment] for moment in sorted(every)]


def _check(runs: Sequence[SavedRun]) -> None:
    """Refuse runs that cannot be shown on one grid."""
    grids = {(run.grid.crs, tuple(run.grid.transform), run.grid.shape) for run in runs}
    if len(grids) > 1:
        named = ", ".join(sorted({run.name for run in runs})[:5])
        raise UsageError(f"the runs lie on {len(grids)} different grids ({named}): a film needs runs of one area")


def _frame(run: SavedRun, raster: Raster, stretch: Stretch, *, marks: bool) -> Frame:
    """Return the picture of one date."""
    factor = frame_factor(run, LONGEST)
    said = f"; {plural(len(run.flags), 'flag')} against {run.acquired('before'):%Y-%m-%d}" if marks else ""
    strip = Strip(
        title=f"{stamp(raster.acquired)}",
        lines=(f"{run.name}{said}", sensor_line(run), run.notice),
        signs=False,
        pixel_m=run.grid.gsd / factor,
    )
    picture = mounted(panel(run, raster, stretch, factor=factor, marks=marks), strip)
    return Frame(picture=picture, seconds=LAST_S if marks else FRAME_S)


def _of_one_sensor(runs: Sequence[SavedRun]) -> list[Frame]:
    """Return a picture of each date of one sensor, and the last one with its flags."""
    shots = _shots(runs)
    rasters = [run.raster(role) for run, role in shots]
    stretch = shared_stretch(tuple(rasters))
    found = [_frame(run, raster, stretch, marks=False) for (run, _), raster in zip(shots, rasters, strict=True)]
    return [*found, _frame(runs[-1], runs[-1].raster("after"), stretch, marks=True)]


def frames(runs: Sequence[SavedRun]) -> list[Frame]:
    """Return a picture of each date by one stretch, and at the end the last one with the flags of its run.

    Of two sensors the optical dates and flags come first, then those of radar.

    Parameters
    ----------
    runs
        Of one area, earliest first; one will do.

    Raises
    ------
    UsageError
        Where they lie on different grids, or are too many.
    """
    _check(runs)
    parts: dict[str, list[SavedRun]] = {}
    for part in (part for run in runs for part in run.parts):
        parts.setdefault(part.kind, []).append(part)
    count = sum(len(_shots(own)) for own in parts.values())
    if count > MOST_FRAMES:
        raise UsageError(f"{count} dates are too many for a film; {MOST_FRAMES} at most: take a part of the runs")
    found = [frame for own in parts.values() for frame in _of_one_sensor(own)]
    height = max(frame.picture.height for frame in found)
    return [Frame(picture=_padded(frame.picture, height), seconds=frame.seconds) for frame in found]


def _padded(picture: Image.Image, height: int) -> Image.Image:
    """Return a picture of even size, as films want it."""
    sheet = Image.new("RGB", (picture.width + picture.width % 2, height + height % 2), "#f7f7f5")
    sheet.paste(picture, (0, 0))
    return sheet


def _palette(first: Image.Image, last: Image.Image) -> Image.Image:
    """Return one palette for all frames, so that unchanged ground does not flicker; the signs keep their colours."""
    sheet = Image.new("RGB", (first.width, first.height * 2))
    sheet.paste(first, (0, 0))
    sheet.paste(last, (0, first.height))
    signs = [int(colour[k : k + 2], 16) for colour in (*SIGN_COLOURS.values(), CASING) for k in (1, 3, 5)]
    found = sheet.quantize(256 - len(signs) // 3, Image.Quantize.MEDIANCUT).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*found[: 768 - len(signs)], *signs])
    return palette


def write_animation(runs: Sequence[SavedRun], path: Path, kind: str) -> None:
    """Write an endless GIF or WebP.

    Parameters
    ----------
    runs
        As `frames` wants them.
    path
        The file.
    kind
        "GIF" or "WEBP".
    """
    found = frames(runs)
    first, *rest = [frame.picture for frame in found]
    if kind == "GIF":
        palette = _palette(first, rest[-1])
        first, *rest = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in (first, *rest)]
    options = {"quality": 88, "method": 4} if kind == "WEBP" else {"optimize": False}
    first.save(
        path,
        kind,
        save_all=True,
        append_images=rest,
        duration=[round(frame.seconds * 1000) for frame in found],
        loop=0,
        **options,
    )


def _writer(path: Path, size: tuple[int, int]) -> cv2.VideoWriter:
    """Return an open file for frames of a size, by the first codec that there is."""
    for codec in CODECS:
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), MP4_FPS, size)
        if writer.isOpened():
            return writer
    raise UsageError("OpenCV has no codec for MP4 here; --format gif shows the same")


def write_film(runs: Sequence[SavedRun], path: Path) -> None:
    """Write an MP4.

    Raises
    ------
    UsageError
        Where this machine's OpenCV has no codec for it.
    """
    found = frames(runs)
    size = found[0].picture.size
    writer = _writer(path, size)
    for frame in found:
        pixels = np.ascontiguousarray(np.asarray(frame.picture)[..., ::-1])
        for _ in range(round(frame.seconds * MP4_FPS)):
            writer.write(pixels)
    writer.release()
