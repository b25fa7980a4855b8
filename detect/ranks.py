"""Medians over dates, by comparing whole images: an order of magnitude faster than ranking pixel by pixel."""

from __future__ import annotations

from functools import cache

import numpy as np

from detect.filters import BoolArray, FloatArray

BLOCK = 16_384
"""Values of a date that are worked on at a time: those of all dates together stay in the processor's cache."""


def _sorting(count: int) -> list[tuple[int, int]]:
    """Return the comparators of K. Batcher's odd-even merge sort (1968, doi:10.1145/1468075.1468121)."""
    steps, run = [], 1
    while run < count:
        reach = run
        while reach:
            for start in range(reach % run, count - reach, 2 * reach):
                ends = range(start, min(start + reach, count - reach))
                steps += [(k, k + reach) for k in ends if k // (2 * run) == (k + reach) // (2 * run)]
            reach //= 2
        run *= 2
    return steps


@cache
def _selecting(count: int) -> tuple[tuple[int, int], ...]:
    """Return the comparators that bring the middle of `count` values to its place, and leave the others be."""
    wanted, kept = {(count - 1) // 2, count // 2}, []
    for low, high in reversed(_sorting(count)):
        if low in wanted or high in wanted:
            kept.append((low, high))
            wanted |= {low, high}
    return tuple(reversed(kept))


def median_of(stack: FloatArray, middle: FloatArray | None = None) -> FloatArray:
    """Return the median over the first axis, the mean of the middle two of an even number.

    Parameters
    ----------
    stack
        (date, ...), finite.
    middle
        (...) where given, the median distance from it is returned instead.

    Examples
    --------
    >>> median_of(np.array([[3.0], [1.0], [2.0], [10.0]], np.float32))
    array([2.5], dtype=float32)
    """
    count, flat = len(stack), stack.reshape(len(stack), -1)
    out = np.empty(flat.shape[1], np.float32)
    low, high = (count - 1) // 2, count // 2
    for start in range(0, flat.shape[1], BLOCK):
        part = np.array(flat[:, start : start + BLOCK], dtype=np.float32)
        if middle is not None:
            np.abs(np.subtract(part, middle.reshape(-1)[start : start + BLOCK], out=part), out=part)
        rows = list(part)
        spare = np.empty_like(rows[0])
        for a, b in _selecting(count):
            np.minimum(rows[a], rows[b], out=spare)
            np.maximum(rows[a], rows[b], out=rows[b])
            rows[a], spare = spare, rows[a]
        out[start : start + BLOCK] = (rows[low] + rows[high]) / 2
    return out.reshape(stack.shape[1:])


def filled_median(stack: FloatArray, valid: BoolArray, middle: FloatArray | None = None) -> FloatArray:
    """Return the median over dates of what is valid.

    Parameters
    ----------
    stack
        (date, band, row, col), finite.
    valid
        (date, row, col).
    middle
        (band, row, col) where given, the median distance from it is returned instead.

    Returns
    -------
    (band, row, col); 0 where nothing is valid.
    """
    out = median_of(stack, middle)
    holed = ~valid.all(axis=0)
    if holed.any():
        values = stack[:, :, holed]
        out[:, holed] = _median_between(
            values if middle is None else np.abs(values - middle[:, holed]), valid[:, holed]
        )
    return out


def _median_between(values: FloatArray, valid: BoolArray) -> FloatArray:
    """Return the median (band, place) of the valid values (date, band, place)."""
    ordered = np.sort(np.where(valid[:, None], values, np.float32(np.inf)), axis=0)
    count = valid.sum(axis=0)
    low, high = np.maximum(count - 1, 0) // 2, np.maximum(count, 1) // 2
    first, second = (np.take_along_axis(ordered, np.broadcast_to(k, ordered.shape)[:1], axis=0)[0] for k in (low, high))
    return np.where(count > 0, (first + second) / 2, np.float32(0)).astype(np.float32)
