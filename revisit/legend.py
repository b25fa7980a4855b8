"""The strip below a picture: what is shown, how large it is, what the signs mean and whose data they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from revisit.drawing import draw_dots, draw_line, drawable, font, wrapped
from revisit.mapframe import bar_length, metres
from revisit.picture import enlarged
from revisit.symbols import LINE_WIDTHS, SIGN_COLOURS, SIGN_MARKS, STRENGTH_WORDS, ZONE_COLOUR

_PAPER, _INK, _FAINT = "#f7f7f5", "#16191d", "#4a5058"
_MARGIN, _SIZE, _TITLE_SIZE, _LEADING = 16, 18, 24, 27
_SCALE_WIDTH = 260
"""Room at the right for the scale bar and the north arrow."""
_SWATCH, _HALF, _SWATCH_GAP = 46, 9, 24
"""Width of a swatch, half its height, and what is left free after its words."""
_GROUND, _NEUTRAL = "#6f7680", "#dfe3e8"

Swatch = Callable[[Image.Image, int, int], None]
"""Draws a sign from (x, y), the middle of its left edge, `_SWATCH` pixels wide."""


@dataclass(frozen=True, kw_only=True)
class Strip:
    """What a strip says."""

    title: str
    lines: tuple[str, ...]
    """Below the title, each wrapped where needed."""
    signs: bool
    """Whether the signs of the flags and zones are explained."""
    pixel_m: float
    """Ground covered by one pixel of the picture, metres."""
    strengths: bool = True
    """Whether the signs include the widths of lines."""


def legend_strip(strip: Strip, width: int) -> Image.Image:
    """Return the strip as a picture `width` pixels wide and as high as it needs to be."""
    text_width = width - _SCALE_WIDTH - 2 * _MARGIN
    lines = [(part, _TITLE_SIZE, _INK) for part in wrapped(drawable(strip.title), _TITLE_SIZE, text_width)]
    lines += [(part, _SIZE, _FAINT) for line in strip.lines for part in wrapped(drawable(line), _SIZE, text_width)]
    rows = _sign_rows(width, strip.strengths) if strip.signs else []
    heights = [size + _LEADING - _SIZE for _, size, _ in lines]
    height = 2 * _MARGIN + sum(heights) + (len(rows) * _LEADING + _MARGIN // 2 if rows else 0)
    picture = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(picture)
    y = _MARGIN
    for (text, size, ink), line_height in zip(lines, heights, strict=True):
        draw.text((_MARGIN, y), text, fill=ink, font=font(size))
        y += line_height
    _draw_scale(draw, right=width - _MARGIN, pixel_m=strip.pixel_m)
    for number, row in enumerate(rows):
        _draw_signs(picture, row, y + _MARGIN // 2 + number * _LEADING + _LEADING // 2)
    return picture


def _draw_scale(draw: ImageDraw.ImageDraw, *, right: int, pixel_m: float) -> None:
    """Draw the scale bar and, right of it, an arrow to grid north."""
    length_m = bar_length((_SCALE_WIDTH - 60) * pixel_m)
    left, bar = right - 50 - length_m / pixel_m, _MARGIN + 28
    draw.rectangle((left, bar, right - 50, bar + 7), fill=_INK)
    draw.rectangle((left + 1, bar + 1, (left + right - 50) / 2, bar + 6), fill=_PAPER)
    draw.text((left, bar - 24), metres(length_m), fill=_INK, font=font(_SIZE))
    middle = right - 14
    draw.polygon(
        ((middle, _MARGIN), (middle - 9, _MARGIN + 24), (middle, _MARGIN + 18), (middle + 9, _MARGIN + 24)), _INK
    )
    draw.text((middle, bar + 14), "N", fill=_INK, font=font(_SIZE), anchor="mm")


def _line_swatch(colour: str, *, width: int = 2, broken: bool = False) -> Swatch:
    """Return a swatch of a flag's outline."""

    def swatch(picture: Image.Image, x: int, y: int) -> None:
        draw = ImageDraw.Draw(picture)
        draw.rectangle((x, y - _HALF, x + _SWATCH, y + _HALF), fill=_GROUND)
        line = np.array([(x + 3, y), (x + _SWATCH - 3, y)], float)
        draw_line(draw, line, colour, width=width, broken=broken)

    return swatch


def _zone_swatch(picture: Image.Image, x: int, y: int) -> None:
    """Draw the outline of a zone."""
    draw = ImageDraw.Draw(picture)
    draw.rectangle((x, y - _HALF, x + _SWATCH, y + _HALF), fill=_GROUND)
    draw_dots(draw, np.array([(x + 3, y), (x + _SWATCH - 3, y)], float), ZONE_COLOUR)


def _hatch_swatch(picture: Image.Image, x: int, y: int) -> None:
    """Draw the hatch of pixels that are not valid."""
    picture.paste(enlarged(np.zeros((2 * _HALF + 1, _SWATCH + 1, 4), np.uint8), 1), (x, y - _HALF))


def _signs(strengths: bool) -> list[tuple[Swatch, str]]:
    """Return the signs with their words."""
    signs: list[tuple[Swatch, str]] = [
        (_line_swatch(colour), f"{sign} ({SIGN_MARKS[sign]})") for sign, colour in SIGN_COLOURS.items()
    ]
    signs += [(_line_swatch(_NEUTRAL), "object"), (_line_swatch(_NEUTRAL, broken=True), "area")]
    if strengths:
        signs += [(_line_swatch(_NEUTRAL, width=LINE_WIDTHS[step]), words) for step, words in STRENGTH_WORDS.items()]
    return [*signs, (_zone_swatch, "zone"), (_hatch_swatch, "not valid on one date or both")]


def _sign_rows(width: int, strengths: bool) -> list[list[tuple[int, Swatch, str]]]:
    """Return the signs in rows of at most `width`, each with its x."""
    rows: list[list[tuple[int, Swatch, str]]] = [[]]
    x = _MARGIN
    for swatch, words in _signs(strengths):
        needed = _SWATCH + 8 + int(font(_SIZE).getlength(words))
        if x + needed > width - _MARGIN and rows[-1]:
            rows.append([])
            x = _MARGIN
        rows[-1].append((x, swatch, words))
        x += needed + _SWATCH_GAP
    return rows


def _draw_signs(picture: Image.Image, row: list[tuple[int, Swatch, str]], y: int) -> None:
    """Draw one row of signs."""
    draw = ImageDraw.Draw(picture)
    for x, swatch, words in row:
        swatch(picture, x, y)
        draw.text((x + _SWATCH + 8, y), words, fill=_INK, font=font(_SIZE), anchor="lm")
