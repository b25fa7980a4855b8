"""Interference over time as a picture: a row a pass and polarisation, along the area's lines of flight."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from revisit.interference import GROUND_KM_S, Interference, Passed, passes
from revisit.picture import png_bytes

LEFT, PLOT, RIGHT, TOP, ROW, GAP = 290, 480, 420, 84, 18, 4
MOST_DB = 3.0
"""Excess that is drawn in the strongest colour."""
TEXT, FRAME, EMPTY = (20, 20, 20), (120, 120, 120), (235, 235, 235)
STRIPE, RECORD = (200, 30, 30), (0, 92, 171)


def _shade(excess_db: float) -> tuple[int, int, int]:
    """Return white for what is usual, orange for excess, grey where nothing is known."""
    if np.isnan(excess_db):
        return EMPTY
    share = float(np.clip(excess_db / MOST_DB, 0, 1))
    return 255, round(255 - 120 * share), round(255 - 220 * share)


def _half_span_km(rows: list[Passed]) -> float:
    """Return how far the plot reaches from the area's middle."""
    known = [np.abs(row.image.offset_km[np.isfinite(row.image.excess_db)]).max() for row in rows if row.image]
    known += [(row.record.last - row.record.first).total_seconds() / 2 * GROUND_KM_S for row in rows if row.record]
    return max([float(value) for value in known] + [1.0])


def _words(row: Passed) -> str:
    """Return what is written beside a row."""
    record, image = row.record, row.image
    told = "no record" if record is None else f"{record.detections} recorded"
    if record is not None and record.elsewhere:
        told += f" (+{record.elsewhere} elsewhere)"
    if record is not None and record.mitigation != "None":
        told += f", mitigated: {record.mitigation}"
    seen = "no image" if image is None else f"{int(image.stripes.sum())} striped lines"
    return f"{told}; {seen}"


def _draw_row(draw: ImageDraw.ImageDraw, row: Passed, top: int, half_km: float) -> None:
    """Draw the lines of one row, its stripes and its recorded detections."""

    def across(km: float) -> int:
        return LEFT + round((km + half_km) / (2 * half_km) * PLOT)

    draw.rectangle((LEFT, top, LEFT + PLOT, top + ROW), fill=EMPTY)
    if row.image is not None:
        columns = [[float("nan")] for _ in range(PLOT + 1)]
        for at, excess in zip(row.image.offset_km, row.image.excess_db, strict=True):
            if abs(at) <= half_km and np.isfinite(excess):
                columns[across(float(at)) - LEFT].append(float(excess))
        # Between lines wider than a pixel of the plot the last known one holds.
        last, end = float("nan"), max((k for k, values in enumerate(columns) if len(values) > 1), default=-1)
        for k, values in enumerate(columns[: end + 1]):
            last = max(values[1:], default=last)
            draw.line((LEFT + k, top, LEFT + k, top + ROW), fill=_shade(last))
        for at in row.image.offset_km[row.image.stripes]:
            draw.rectangle((across(float(at)) - 1, top, across(float(at)) + 1, top + ROW), fill=STRIPE)
    for at in row.record.offsets_km if row.record else ():
        x = across(at)
        draw.polygon(((x, top), (x - 6, top + ROW), (x + 6, top + ROW)), fill=RECORD)


def write_plot(found: Interference, path: Path) -> None:
    """Write the plot as a PNG; the same witnesses give the same bytes."""
    rows = passes(found)
    height = TOP + max(len(rows), 1) * (ROW + GAP) + 60
    picture = Image.new("RGB", (LEFT + PLOT + RIGHT, height), (255, 255, 255))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=13)
    draw.text(
        (16, 12), "Radio interference over the area, pass by pass", fill=TEXT, font=ImageFont.load_default(size=16)
    )
    orange = f"orange: line brighter than its neighbours (full colour at {MOST_DB:g} dB)"
    legend = f"{orange}; red: stripe; blue: recorded; grey: no image shows it"
    draw.text((16, 38), legend, fill=TEXT, font=font)
    half_km = _half_span_km(rows)
    for km in (-half_km, 0.0, half_km):
        x = LEFT + round((km + half_km) / (2 * half_km) * PLOT)
        draw.text((x, TOP - 6), f"{km:+.1f} km" if km else "0", fill=FRAME, font=font, anchor="ms")
    for k, row in enumerate(rows):
        top = TOP + k * (ROW + GAP)
        label = f"{row.when:%Y-%m-%d %H:%M} UTC {row.platform.removeprefix('sentinel-').upper()} {row.polarisation}"
        draw.text((16, top + 1), label, fill=TEXT, font=font)
        _draw_row(draw, row, top, half_km)
        draw.text((LEFT + PLOT + 12, top + 1), _words(row), fill=TEXT, font=font)
    if not rows:
        draw.text((16, TOP), "no pass with a record or an image", fill=TEXT, font=font)
    draw.text((LEFT, height - 50), "along the flight, northwards, from the area's middle", fill=FRAME, font=font)
    draw.text((16, height - 26), "Along the flight only; silence is not absence.", fill=TEXT, font=font)
    path.write_bytes(png_bytes(picture, "Interference records and stripes of Sentinel-1 passes"))
