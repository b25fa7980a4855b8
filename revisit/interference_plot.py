"""Interference over time as a picture: one bar a pass and polarisation, hatched where the image was mitigated."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from revisit.interference import Interference
from revisit.picture import png_bytes

WIDTH, LEFT, TOP, BAR, GAP = 900, 250, 60, 18, 8
COLOURS = {"VV": (0, 92, 171), "VH": (224, 123, 0)}
OTHER = (90, 90, 90)
TEXT = (20, 20, 20)


def write_plot(found: Interference, path: Path) -> None:
    """Write the plot as a PNG; the same records give the same bytes."""
    height = TOP + max(len(found.records), 1) * (BAR + GAP) + 50
    picture = Image.new("RGB", (WIDTH, height), (255, 255, 255))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=13)
    draw.text((16, 14), "Interference records over the area, detections per pass", fill=TEXT, font=font)
    most = max([one.detections for one in found.records] + [1])
    for k, one in enumerate(found.records):
        top = TOP + k * (BAR + GAP)
        draw.text((16, top), f"{one.first:%Y-%m-%d %H:%M} {one.platform} {one.polarisation}", fill=TEXT, font=font)
        length = round((WIDTH - LEFT - 200) * one.detections / most)
        draw.rectangle((LEFT, top, LEFT + max(length, 2), top + BAR), fill=COLOURS.get(one.polarisation, OTHER))
        mitigated = "" if one.mitigation == "None" else f", mitigated: {one.mitigation}"
        draw.text((LEFT + max(length, 2) + 8, top), f"{one.detections}{mitigated}", fill=TEXT, font=font)
    draw.text((16, height - 30), "Along the flight only; silence is not absence.", fill=TEXT, font=font)
    path.write_bytes(png_bytes(picture, "Interference records of Sentinel-1 products"))
