"""Probability of detection of radar against the cross-section of an object, on simulated aprons, as a picture.

    python benchmarks/radar_curve.py --rehearsal FOLDER --seeds 2101 2103 --png docs/images/radar-curve.png

FOLDER holds `scenes.py`. On the open apron of each scene, with 20 baseline dates and 1 flag per km2, objects of 20 m
are put into the dates: those that appear, and those that vanish (of a visitor and of one that had stood there on all
earlier dates, the lesser). Printed: Pd by step of cross-section with Wilson's 95 % interval. Below the curve stand the
ranges that are assumed for classes: mean and standard deviation.
"""

from __future__ import annotations

import argparse
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.radar_accuracy import DATES, module
from benchmarks.tables import Proportion
from detect.detectability import DIRECTIONS, Stratum
from detect.radar import RadarSeries, fit_radar
from detect.radar_change import detect_radar
from detect.radar_detectability import CROSS_SECTIONS_DBSM, RadarSetting, cross_section_curve

STEPS = (5.0, 8.0, 11.0, 14.0, 17.0, 20.0, 23.0, 26.0, 29.0, 32.0)
LOW, HIGH = 5.0, 50.0
TRIALS = 40
LEFT, TOP, WIDE, TALL = 90, 70, 720, 300
COLOURS = {"appeared": (0, 92, 171), "vanished": (224, 123, 0)}
GREY, TEXT = (190, 190, 190), (20, 20, 20)

Counts = dict[tuple[str, int], list[int]]
"""(direction, step) -> hits and trials."""


def setting_of(rehearsal: Path, seed: int) -> tuple[RadarSetting, Stratum]:
    """Return the last two dates of a scene without objects, with what was fitted to them, and its open apron."""
    scenes = module(rehearsal / "scenes.py")
    place = scenes.Rehearsal(seed=seed, size=200, scenario_name="null")
    radar = scenes.build_radar_ground(scenes.stream(seed, 5), place.ground)
    dates = np.stack(
        [scenes.render_radar(scenes.stream(seed, 6, *one.key), radar, []) for one in scenes.calendar("s1", DATES)]
    )
    valid = np.ones(dates.shape[2:], bool)
    series = RadarSeries(before=dates[-2], after=dates[-1], baseline=dates[:-2], valid=valid,
                         baseline_valid=np.ones((len(dates) - 2, *valid.shape), bool), gsd=10.0)  # fmt: skip
    apron, model = place.ground.apron, fit_radar(series)
    change = detect_radar(series, apron.astype(np.uint8), false_alarms_per_km2=1.0, model=model)
    return RadarSetting(series=series, model=model, change=change), Stratum(name="apron", where=apron, water=False)


def measure(rehearsal: Path, seeds: range) -> Counts:
    """Return hits and trials of all scenes together."""
    counts: Counts = {}
    for seed in seeds:
        setting, apron = setting_of(rehearsal, seed)
        rng = np.random.default_rng(seed)
        curve = cross_section_curve(setting, apron, rng=rng, trials=TRIALS, steps=STEPS)
        for k, one in enumerate(curve):
            total = counts.setdefault((one.direction, k % (len(STEPS) - 1)), [0, 0])
            total[0] += round(one.pd * one.trials)
            total[1] += one.trials
    return counts


def _x(dbsm: float) -> int:
    return LEFT + round((dbsm - LOW) / (HIGH - LOW) * WIDE)


def _y(pd: float) -> int:
    return TOP + round((1 - pd) * TALL)


def picture(counts: Counts) -> Image.Image:
    """Return the curve with its intervals, and the classes' assumed ranges under it."""
    image = Image.new("RGB", (LEFT + WIDE + 60, TOP + TALL + 80 + 24 * len(CROSS_SECTIONS_DBSM)), (255, 255, 255))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=14)
    draw.text((LEFT, 14), "Radar: share of objects flagged, by radar cross-section", fill=TEXT, font=font)
    draw.text((LEFT, 36), "simulated apron, 20 baseline dates, 1 flag per km2;", fill=TEXT, font=font)
    draw.text((LEFT + 350, 36), "appeared", fill=COLOURS["appeared"], font=font)
    draw.text((LEFT + 430, 36), "vanished", fill=COLOURS["vanished"], font=font)
    for pd in (0.0, 0.25, 0.5, 0.75, 1.0):
        draw.line((LEFT, _y(pd), LEFT + WIDE, _y(pd)), fill=GREY)
        draw.text((LEFT - 12, _y(pd)), f"{pd:g}", fill=TEXT, font=font, anchor="rm")
    for dbsm in range(5, 51, 5):
        draw.text((_x(dbsm), TOP + TALL + 16), str(dbsm), fill=TEXT, font=font, anchor="mm")
    draw.text((LEFT + WIDE, TOP + TALL + 34), "dBsm", fill=TEXT, font=font, anchor="rm")
    for direction in DIRECTIONS:
        points = []
        for k, (low, high) in enumerate(pairwise(STEPS)):
            found = Proportion(*counts[direction, k])
            at = _x((low + high) / 2) + (-2 if direction == "appeared" else 2)
            draw.line((at, *(_y(found.bounds[0]), at, _y(found.bounds[1]))), fill=COLOURS[direction], width=2)
            points.append((at, _y(found.share)))
        draw.line(points, fill=COLOURS[direction], width=3)
    for k, (name, (mean, spread)) in enumerate(CROSS_SECTIONS_DBSM.items()):
        y = TOP + TALL + 62 + 24 * k
        draw.text((LEFT - 12, y), name, fill=TEXT, font=font, anchor="rm")
        draw.line((_x(mean - spread), y, _x(min(mean + spread, HIGH)), y), fill=GREY, width=8)
        draw.line((_x(mean), y - 7, _x(mean), y + 7), fill=TEXT, width=3)
    note = "assumed: mean and standard deviation, none of them measured"
    draw.text((LEFT, TOP + TALL + 62 + 24 * len(CROSS_SECTIONS_DBSM) - 6), note, fill=TEXT, font=font)
    return image


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rehearsal", type=Path, required=True, help="holds scenes.py")
    parser.add_argument("--seeds", nargs=2, type=int, default=(2101, 2103), metavar=("FIRST", "LAST"))
    parser.add_argument("--png", type=Path, required=True)
    told = parser.parse_args()
    counts = measure(told.rehearsal, range(told.seeds[0], told.seeds[1] + 1))
    for (direction, k), (hits, trials) in counts.items():
        print(f"{direction} {STEPS[k]:g} to {STEPS[k + 1]:g} dBsm: {Proportion(hits, trials).text}")
    picture(counts).save(told.png)


if __name__ == "__main__":
    main()
