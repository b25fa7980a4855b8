"""Speed of the radar statistics, and memory of the sequential test.

    python benchmarks/radar_speed.py

Printed: output pixels per second of processor time of the likelihood ratio against the mean of 20 dates (one
polarisation, the mean at hand), and seconds and peak memory of the sequential omnibus over 1000 x 1000 pixels and 30
dates, with two threads, on unchanged ground and where most of it changed.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from detect.gamma import mean_statistic
from detect.omnibus import sequential_omnibus

LOOKS, REPEATS = 4.4, 5


def glrt() -> None:
    """Print the rate of the likelihood ratio."""
    rng = np.random.default_rng(1)
    power = rng.gamma(LOOKS, 1 / LOOKS, (4000, 4000)).astype(np.float32)
    mean = rng.gamma(20 * LOOKS, 1 / (20 * LOOKS), power.shape).astype(np.float32)
    out, best = np.empty_like(power), np.inf
    for _ in range(REPEATS):
        start = time.process_time()
        mean_statistic(power, mean, looks=LOOKS, dates=20, out=out)
        best = min(best, time.process_time() - start)
    print(f"likelihood ratio against 20 dates: {power.size / best / 1e6:.0f} Mpx/s")


def sequence(channels: int, changed: float) -> None:
    """Print time and memory of the sequential test with a share of the ground changed twice."""
    rng = np.random.default_rng(2)
    dates = np.empty((30, channels, 1000, 1000), np.float32)
    for one in dates.reshape(-1, 1000, 1000):
        one[:] = rng.gamma(LOOKS, 1 / LOOKS, one.shape)
    edge = int(1000 * changed)
    dates[12:, :, :edge] *= 4
    dates[21:, :, :edge] /= 3
    seen = np.ones((1000, 1000), bool)
    start, used = time.perf_counter(), time.process_time()
    run = sequential_omnibus(dates, seen, looks=(LOOKS,) * channels, level=1e-3)
    spent, used = time.perf_counter() - start, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    share = float((run.count > 0).mean())
    print(
        f"sequence, {channels} polarisation(s), {share:.1%} changed: {spent:.2f} s"
        f" ({used:.2f} s of processor), peak {peak:.0f} MB with the dates"
    )


if __name__ == "__main__":
    glrt()
    for polarisations in (1, 2):
        for share_changed in (0.0, 0.8):
            sequence(polarisations, share_changed)
