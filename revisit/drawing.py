"""Lines, labels and text on Pillow pictures, without any font of the system."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from revisit.mapframe import Line
from revisit.symbols import CASING

Taken = NDArray[np.bool_]
"""(row, col) of a picture, True = drawn on already."""

_DASH, _GAP = 9.0, 6.0
"""Lengths along a broken line, picture pixels."""
_REACH = (2, 8, 16, 28, 44, 64, 90, 120)
"""Distances at which a label may stand from what it names, picture pixels."""
_LEADER_FROM = 16
"""Distance from which a line joins a label with what it names."""
_PADDING = 3
_CLEAR = 4
"""Least distance of a label from the middle of an outline, half the widest line, picture pixels."""
_WATERMARK = (255, 255, 255, 120), (0, 0, 0, 130)


@lru_cache(maxsize=32)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font that comes with Pillow in a size in pixels."""
    return ImageFont.load_default(size=size)


def drawable(text: str) -> str:
    """Return the text in the characters that the font has; the others, marks of direction included, become "?"."""
    plain = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return "".join(char if " " <= char <= "~" else "?" for char in plain)


def shortened(text: str, size: int, width: int) -> str:
    """Return the text, cut with "..." where it is wider than `width` picture pixels."""
    if font(size).getlength(text) <= width:
        return text
    while text and font(size).getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."


def wrapped(text: str, size: int, width: int) -> list[str]:
    """Return the lines of a text that is at most `width` picture pixels wide; words that are wider are cut."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font(size).getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(shortened(word, size, width))
    return lines


def draw_line(draw: ImageDraw.ImageDraw, line: Line, colour: str, *, width: int, broken: bool = False) -> None:
    """Draw a line in a colour on a wider dark one, solid or broken into dashes.

    Parameters
    ----------
    draw
        On a picture.
    line
        (n, 2) points in picture pixels.
    colour
        Such as "#ffb000".
    width
        Of the coloured line, picture pixels.
    """
    pieces = list(_dashes(line, _DASH, _GAP)) if broken else [line]
    for ink, wide in ((CASING, width + 2), (colour, width)):
        for piece in pieces:
            draw.line([(float(x), float(y)) for x, y in piece], fill=ink, width=wide, joint="curve")


def draw_dots(draw: ImageDraw.ImageDraw, line: Line, colour: str) -> None:
    """Draw a thin dotted line: for what is known beforehand, not found."""
    for piece in _dashes(line, 3.0, 3.0):
        draw.line([(float(x), float(y)) for x, y in piece], fill=colour, width=1)


def _dashes(line: Line, dash: float, gap: float) -> Iterator[Line]:
    """Yield the dashes of a line, each with the corners that lie in it."""
    along = np.r_[0.0, np.cumsum(np.hypot(*np.diff(line, axis=0).T))]
    for start in np.arange(0.0, along[-1], dash + gap):
        end = min(start + dash, along[-1])
        corners = along[(along > start) & (along < end)]
        at = np.r_[start, corners, end]
        yield np.column_stack([np.interp(at, along, line[:, 0]), np.interp(at, along, line[:, 1])])


def draw_label(draw: ImageDraw.ImageDraw, text: str, colour: str, *, points: Line, taken: Taken, size: int) -> bool:
    """Write a label beside what it names, where nothing is drawn yet, and mark the place as taken.

    Parameters
    ----------
    draw
        On a picture.
    text, colour, size
        Of the label; size in picture pixels.
    points
        (n, 2) of the outline of what is named, picture pixels.
    taken
        (row, col) of the picture; changed.

    Returns
    -------
    bool
        False where there is no free place near enough: then nothing is written.
    """
    wide, high = int(font(size).getlength(text)) + 2 * _PADDING, size + 2 * _PADDING
    places = ((reach, *place) for reach in _REACH for place in _places(points, wide, high, reach))
    for reach, x, y, anchor in places:
        if _is_free(taken, x, y, wide, high):
            if reach >= _LEADER_FROM:
                end = np.clip(anchor, (x, y), (x + wide, y + high))
                draw.line([tuple(anchor.tolist()), tuple(end.tolist())], fill=colour, width=1)
            draw.rectangle((x, y, x + wide - 1, y + high - 1), fill=CASING)
            draw.text((x + _PADDING, y + high / 2), text, fill=colour, font=font(size), anchor="lm")
            taken[y : y + high, x : x + wide] = True
            return True
    return False


def _places(points: Line, wide: int, high: int, reach: int) -> Iterator[tuple[int, int, NDArray[np.float64]]]:
    """Yield the upper left corners of a label around an outline, each with the point of the outline that it names.

    Right above its highest point first, then beside its outermost ones, then below its lowest, then aslant.
    """
    top, bottom = points[points[:, 1].argmin()], points[points[:, 1].argmax()]
    left, right = points[points[:, 0].argmin()], points[points[:, 0].argmax()]
    away = reach + _CLEAR
    for anchor, across, down in (
        (top, 0, -1),
        (right, 1, 0),
        (left, -1, 0),
        (bottom, 0, 1),
        (right, 1, -1),
        (left, -1, -1),
        (right, 1, 1),
        (left, -1, 1),
    ):
        x = anchor[0] + across * (away + wide / 2) - wide / 2
        y = anchor[1] + down * (away + high / 2) - high / 2
        yield round(float(x)), round(float(y)), anchor


def _is_free(taken: Taken, x: int, y: int, wide: int, high: int) -> bool:
    """Return whether a place lies in the picture and nothing is drawn there."""
    inside = x >= 0 and y >= 0 and y + high <= taken.shape[0] and x + wide <= taken.shape[1]
    return inside and not taken[y : y + high, x : x + wide].any()


def watermarked(picture: Image.Image, text: str) -> Image.Image:
    """Return the picture with a text in large letters across it, again and again, so that a cut-out still shows it."""
    layer = Image.new("RGBA", picture.size)
    draw = ImageDraw.Draw(layer)
    size = 8
    while font(size + 2).getlength(text) < 0.9 * picture.width and size < picture.height / 3:
        size += 2
    light, dark = _WATERMARK
    for middle in np.arange(picture.height / 6, picture.height, picture.height / 3):
        place = (picture.width / 2, float(middle))
        draw.text(place, text, fill=light, font=font(size), anchor="mm", stroke_width=2, stroke_fill=dark)
    return Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")
