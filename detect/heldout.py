"""Pairs of baseline dates, tested as the asked pair is, against the spread of the dates that they are not of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from detect.filters import BoolArray, FloatArray, blur
from detect.ranks import filled_median
from detect.series_maps import Frame, Statistics, area_map, departures_of, object_map
from detect.usual import Cover, usual_of

HOLD_OUT = 4
"""Neighbouring baseline dates that are tested together against the spread of the others."""
AREA_BLUR_M = 50.0


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The baseline, filtered."""

    responses: FloatArray
    """(date, band, row, col) whitened."""
    details: FloatArray
    """(date, band, row, col) smoothed residuals."""
    valid: BoolArray
    """(date, row, col)."""


def _folds(dates: int) -> list[list[int]]:
    """Return neighbouring dates in groups of about HOLD_OUT, at least two in each, leaving at least two outside."""
    size = HOLD_OUT if dates >= 2 * HOLD_OUT else 2
    groups = [list(range(k, min(k + size, dates))) for k in range(0, dates, size)]
    return [g for g in groups if len(g) > 1]


def pairs_of_a_date(dates: int) -> int:
    """Return in how many held-out pairs one date of so many takes part, at most."""
    return max(len(fold) for fold in _folds(dates)) - 1


def null_statistics(stack: Stack, area_root: FloatArray, ground: Cover, frame: Frame) -> list[Statistics]:
    """Return the maps of held-out pairs of baseline dates."""
    found = []
    for number, fold in enumerate(_folds(len(stack.responses))):
        rest = [k for k in range(len(stack.responses)) if k not in fold]
        usual = usual_of(stack.responses[rest], stack.valid[rest], ground)
        for a, b in combinations(fold, 2):
            both = replace(frame, seen=frame.seen & stack.valid[a] & stack.valid[b])
            if both.seen.any():
                found_there = departures_of(stack.responses[a], stack.responses[b], usual, both)
                objects = object_map(found_there, both.seen)
                areas = area_map(stack.details[a], stack.details[b], area_root, both)
                found.append(Statistics(objects=objects, areas=areas, fold=number))
    return found


def usual_areas(nulls: Sequence[Statistics], gsd: float) -> FloatArray:
    """Return the usual size (row, col) of the area maps."""
    stack = np.stack([n.areas for n in nulls])[:, None]
    known = ~np.isnan(stack[:, 0])
    typical = filled_median(np.nan_to_num(stack), known)
    somewhere = np.asarray(known.any(axis=0))
    middle = float(np.median(typical[0][somewhere]))
    smooth = blur(typical, somewhere, AREA_BLUR_M / gsd)[0]
    return np.asarray(np.maximum(smooth, np.float32(0.5 * middle)), dtype=np.float32)
