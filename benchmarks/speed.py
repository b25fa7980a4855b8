"""Wall time and peak memory of whole commands, as the operating system counts them.

    python benchmarks/speed.py SCENES AREA BEFORE AFTER [RUNS]

SCENES is a folder of imported scenes, AREA an area file: `revisit compare` is timed on them, and `revisit --help`.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

COMMAND = [sys.executable, "-c", "from revisit.cli.main import main; main()"]
ROOT = Path(__file__).resolve().parent.parent


def run(arguments: list[str]) -> tuple[float, float, float]:
    """Return wall seconds, processor seconds and peak MB of one command that must succeed."""
    start = time.perf_counter()
    silence = os.open(os.devnull, os.O_WRONLY)
    actions = [(os.POSIX_SPAWN_DUP2, silence, 1), (os.POSIX_SPAWN_DUP2, silence, 2)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = os.posix_spawn(COMMAND[0], [*COMMAND, *arguments], environment, file_actions=actions)
    _, status, usage = os.wait4(child, 0)
    os.close(silence)
    if status:
        raise SystemExit(f"revisit {' '.join(arguments)} failed with status {status}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def show(name: str, arguments: list[str], runs: int) -> None:
    """Print least, median and largest of some runs after one that is not counted."""
    run(arguments)
    figures = zip(*(run(arguments) for _ in range(runs)), strict=True)
    for what, values in zip(("wall s", "cpu s", "peak MB"), figures, strict=True):
        print(f"{name:10s} {what:8s} {min(values):8.2f} {statistics.median(values):8.2f} {max(values):8.2f}")


def main(scenes: str, area: str, before: str, after: str, runs: str = "5") -> None:
    """Print the table."""
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; least, median, largest of {runs} runs")
    show("--help", ["--help"], int(runs))
    with tempfile.TemporaryDirectory() as out:
        wanted = ["compare", area, "--before", before, "--after", after, "--source", f"folder:{scenes}"]
        show("compare", [*wanted, "-o", str(Path(out) / "run")], int(runs))


if __name__ == "__main__":
    main(*sys.argv[1:])
