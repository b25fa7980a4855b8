"""How often the sequential test finds any change in gamma speckle that holds none, over the level asked for.

    python benchmarks/omnibus.py

Printed for 6, 12 and 22 dates, one and two polarisations: the share of unchanged pixels with any change over the whole
run, over the level, with the standard error of that. 500 x 500 pixels of 4.4 looks each, independent.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from detect.omnibus import sequential_omnibus

LOOKS, SIDE = 4.4, 500


def main() -> None:
    """Print the table."""
    seen = np.ones((SIDE, SIDE), bool)
    for channels in (1, 2):
        for dates in (6, 12, 22):
            rng = np.random.default_rng(100 * dates + channels)
            stack = rng.gamma(LOOKS, 1 / LOOKS, (dates, channels, SIDE, SIDE)).astype(np.float32)
            for level in (1e-2, 1e-3, 1e-4):
                run = sequential_omnibus(stack, seen, looks=(LOOKS,) * channels, level=level)
                count = int((run.count > 0).sum())
                asked = level * SIDE**2
                print(
                    f"{dates:2d} dates, {channels} polarisation(s), level {level:g}: {count / asked:.2f}"
                    f" +- {max(count, 1) ** 0.5 / asked:.2f} times the level"
                )


if __name__ == "__main__":
    main()
