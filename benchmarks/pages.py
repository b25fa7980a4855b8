"""How fast the pages are in Chromium: a report of 500 x 500 pixels, and the viewer with 200 runs and 2000 flags.

    python -m benchmarks.pages [-o benchmarks/pages.json] [--beside OLD.html]

Everything is random: the pictures compress as badly as any can. A frame is the time between two calls of
requestAnimationFrame while the mouse drags the map for four seconds. Seconds on the clock grow with whatever else the
machine does (`load_average`); `cpu_s` are the seconds that all threads of the page's process worked until it could be
used, which other work changes little: on idle cores the clock shows no more than that. `--beside` times a report that
another version made, turn by turn with this one's, which holds on a busy machine too.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page

from revisit.outputs import write_run
from revisit.report import render
from tests.browsing import launched, visiting
from tests.serving import serving
from tests.standin import AFTER, blob, make_flags, make_grid, make_raster, make_result

RUNS, FLAGS_A_RUN = 200, 10
REPORT_FLAGS = 200
PAN_S = 4.0
LOADS = 5
FRAMES = """() => {
  window.gaps = [];
  let last = performance.now();
  const tick = (now) => { window.gaps.push(now - last); last = now; window.ticking = requestAnimationFrame(tick); };
  window.ticking = requestAnimationFrame(tick);
}"""


def _report(folder: Path) -> Path:
    """Write a report with as many flags as it shows one by one."""
    items = [blob((13 * k) % 480, (29 * k) % 480, side=2 + k % 7) for k in range(REPORT_FLAGS)]
    path = folder / "report.html"
    path.write_text(render(make_result(make_grid(500, 500), flags=make_flags(items))), encoding="utf-8")
    return path


def _runs(folder: Path) -> None:
    """Write the runs of one area: one after the other in time, each with its flags."""
    grid, rng = make_grid(), np.random.default_rng(1)
    rasters = [make_raster(grid, AFTER + timedelta(days=5 * k), k) for k in range(RUNS + 1)]
    for number in range(RUNS):
        places = rng.integers(2, (54, 74), (FLAGS_A_RUN, 2)).tolist()
        signs = ("appeared", "vanished", "altered")
        items = [blob(row, col, side=1 + k % 4, change=signs[k % 3]) for k, (row, col) in enumerate(places)]
        dates = {"before": rasters[number], "after": rasters[number + 1]}
        write_run(make_result(grid, flags=make_flags(items), **dates), folder / f"run-{number:03d}")


def _pan(page: Page) -> dict[str, float]:
    """Drag the map to and fro and return its frames, milliseconds."""
    page.locator("#stage").scroll_into_view_if_needed()
    box = page.evaluate(
        "() => { const b = document.getElementById('stage').getBoundingClientRect();"
        " return [b.x, b.y, b.width, b.height]; }"
    )
    middle = box[0] + box[2] * 0.35, box[1] + box[3] * 0.4
    for _ in range(3):
        page.locator("#zoom-in").click()
    page.evaluate(FRAMES)
    page.mouse.move(*middle)
    page.mouse.down()
    start, step = time.perf_counter(), 0
    while time.perf_counter() - start < PAN_S:
        step += 1
        page.mouse.move(middle[0] + 120 * np.sin(step / 9), middle[1] + 80 * np.cos(step / 7))
    page.mouse.up()
    gaps = np.array(page.evaluate("() => { cancelAnimationFrame(window.ticking); return window.gaps.slice(2); }"))
    return {
        "frames": len(gaps),
        "median_ms": round(float(np.median(gaps)), 1),
        "p99_ms": round(float(np.percentile(gaps, 99)), 1),
        "worst_ms": round(float(gaps.max()), 1),
        "over_100_ms": int((gaps > 100).sum()),
    }


def _interactive(browser: Browser, address: str, ready: str) -> tuple[float, float, Page]:
    """Return the seconds from the call of a page to its first drawn frame after `ready` is true.

    On the clock, and of the work of all threads of its process; and the page.
    """
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    start = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_function(ready)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    seconds = time.perf_counter() - start
    figures = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return round(seconds, 2), round(figures["ProcessTime"], 2), page


def _loads(browser: Browser, paths: Mapping[str, Path]) -> tuple[dict[str, Any], dict[str, float]]:
    """Return how long each page takes to load, turn by turn, and the frames while the first one's map is dragged."""
    whole = "() => document.readyState === 'complete' && document.getElementById('stage').dataset.k > 0"
    found: dict[str, Any] = {name: {"interactive_s": [], "cpu_s": []} for name in paths}
    pan: dict[str, float] = {}
    for _ in range(LOADS):
        for name, path in paths.items():
            seconds, worked, page = _interactive(browser, path.resolve().as_uri(), whole)
            found[name]["interactive_s"].append(seconds)
            found[name]["cpu_s"].append(worked)
            if not pan:
                pan = _pan(page)
            page.close()
    return found, pan


def measure(beside: Path | None = None) -> dict[str, Any]:
    """Return all figures; of a report that another version made too, where there is one."""
    # Other work on the machine shows in every figure: the load says how much there was.
    found: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load_average": round(os.getloadavg()[0], 1),
    }
    with tempfile.TemporaryDirectory() as name, launched() as browser:
        found["chromium"] = browser.version
        folder = Path(name)
        path = _report(folder)
        loads, pan = _loads(browser, {"report": path, **({"beside": beside} if beside else {})})
        found["report"] = {
            "pixels": "500 x 500",
            "flags": REPORT_FLAGS,
            "bytes": path.stat().st_size,
            **loads.pop("report"),
            "pan": pan,
        }
        found |= loads
        (folder / "runs").mkdir()
        _runs(folder / "runs")
        with serving(folder / "runs") as address, visiting(browser, address) as visit:
            visit.page.wait_for_function("() => document.getElementById('count').textContent.includes('flag')")
            visit.page.locator("[name=run]").select_option("all")
            visit.page.wait_for_timeout(500)
            shown = visit.data("visible")
            found["viewer"] = {"runs": RUNS, "flags": int(shown), "pan": _pan(visit.page)}
    return found


def main() -> None:
    """Measure and print, or write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", type=Path, help="write the figures here too")
    parser.add_argument("--beside", type=Path, help="a report.html of another version, timed turn by turn")
    wanted = parser.parse_args()
    text = json.dumps(measure(wanted.beside), indent=1) + "\n"
    if wanted.o:
        wanted.o.write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
