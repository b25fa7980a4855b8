"""What a comparison costs on the network, by source: requests, bytes and processing units, counted at the servers.

    python benchmarks/network_cost.py [AREA] [BEFORE] [AFTER]

Runs `revisit compare` (khmeimim, 2024-11-30, 2024-12-20) against servers on this machine that stand in for the sources,
each time with an empty cache: two optical dates alone through every source, then with up to 20 earlier dates, then the
same once more from the cache, then with radar beside them. The stand-ins' files are laid out as the real ones; how well
real pixels pack is another matter, so bytes are an order of magnitude.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.commands import call, environment  # noqa: E402 - the repository must be on the path first
from tests.servers import Logged, Server, start  # noqa: E402

SOURCES = ("earth-search", "planetary-computer", "sentinel-hub", "auto")
BOTH = ("planetary-computer", "sentinel-hub", "auto")
"""Those that have radar."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What the servers saw of one run, and what its manifest says."""

    seen: list[Logged]
    run: dict[str, Any]

    def line(self, name: str) -> str:
        """Return one line of the table."""
        searches = sum("search" in one.path.rpartition("/")[2] for one in self.seen)
        megabytes = sum(one.sent for one in self.seen) / 1e6
        units = self.run["exchange"]["processing_units"]
        dates = len(self.run["scenes"])
        return f"{name:<34}{dates:>6}{len(self.seen):>10}{searches:>10}{megabytes:>8.2f}{units:>8.2f}"


def measure(world: Server, folder: Path, command: list[str], cache: str) -> Cost:
    """Run a comparison and return its cost.

    Raises
    ------
    SystemExit
        Where the command fails.
    """
    before = len(world.log())
    done = call([*command, "-o", str(folder / "run")], environment(world, folder / cache))
    if done.code:
        raise SystemExit(done.err)
    return Cost(seen=world.log()[before:], run=json.loads((folder / "run" / "run.json").read_text()))


def main(area: str = "khmeimim", before: str = "2024-11-30", after: str = "2024-12-20") -> None:
    """Print the table."""
    pair = ["compare", area, "--before", before, "--after", after]
    optical = [*pair, "--sensor", "s2"]
    print(f"{'':<34}{'dates':>6}{'requests':>10}{'searches':>10}{'MB':>8}{'units':>8}")
    with start("world") as world, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for source in SOURCES:
            alone = [*optical, "--source", source, "--baseline", "0"]
            print(measure(world, folder, alone, f"two-{source}").line(f"{source}, two dates"), flush=True)
        for source in SOURCES:
            whole = [*optical, "--source", source]
            print(measure(world, folder, whole, f"all-{source}").line(f"{source}, with a baseline"), flush=True)
        again = measure(world, folder, [*optical, "--source", "auto"], "all-auto")
        print(again.line("auto, with a baseline, once more"))
        for source in BOTH:
            alone = [*pair, "--source", source, "--baseline", "0"]
            print(
                measure(world, folder, alone, f"two-both-{source}").line(f"{source}, two dates and radar"), flush=True
            )
            whole = [*pair, "--source", source]
            print(
                measure(world, folder, whole, f"all-both-{source}").line(f"{source}, baselines and radar"), flush=True
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
