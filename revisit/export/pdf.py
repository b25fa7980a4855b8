"""The report on paper: printed by Chromium where there is one, else drawn as plain pages."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from detect.detectability import ClassDetectability
from revisit.drawing import drawable, font, shortened, wrapped
from revisit.errors import UsageError
from revisit.export.pictures import comparison_sheet
from revisit.export.tables import candidates_text
from revisit.runs import SavedFlag, SavedRun
from revisit.seen import seen_groups
from revisit.symbols import SIMULATED
from revisit.wording import contrast_words, number, percent, plural, stamp

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LONGEST_S = 180
"""Printing 200 flags takes some 20 s on two slow cores."""

_DPI = 150
_PAGE = round(8.27 * _DPI), round(11.69 * _DPI)
"""A4, upright."""
_MARGIN, _INK, _SOFT = 90, "#15191e", "#4b535d"
_COLUMNS = (
    ("flag", 70),
    ("change", 120),
    ("scale", 90),
    ("zone", 260),
    ("size, m", 130),
    ("contrast", 110),
    ("p", 110),
)
_CELL, _ROW = 19, 30


def browser() -> str | None:
    """Return the path of a Chromium on this machine; None where there is none."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def print_page(program: str, page: Path, target: Path) -> None:
    """Print a page to a file with a browser that keeps to itself: its own profile, no calls home."""
    # Chromium's own sandbox cannot be set up by root; the page's policy lets nothing run but our script.
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="revisit-print-") as profile:
        command = [
            program, "--headless", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-pdf-header-footer",
            *as_root, f"--user-data-dir={profile}", f"--print-to-pdf={target}", page.as_uri(),
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, timeout=LONGEST_S, check=False)  # noqa: S603
        except subprocess.TimeoutExpired as error:
            raise UsageError(f"{program} did not print {page} within {LONGEST_S} s") from error
    if done.returncode or not target.is_file() or not target.stat().st_size:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise UsageError(f"{program} could not print {page}: {' '.join(last) or f'exit code {done.returncode}'}")


class Pages:
    """Pages that are written from top to bottom."""

    def __init__(self, notice: str) -> None:
        self.notice = notice
        self.done: list[Image.Image] = []
        self._turn()

    def _turn(self) -> None:
        """Begin a page."""
        self.page = Image.new("RGB", _PAGE, "#ffffff")
        self.draw = ImageDraw.Draw(self.page)
        self.y = _MARGIN
        self.done.append(self.page)
        foot = f"{self.notice}     page {len(self.done)}"
        self.draw.text((_MARGIN, _PAGE[1] - _MARGIN // 2), drawable(foot), fill=_SOFT, font=font(16), anchor="ls")

    def room(self, height: int) -> None:
        """Begin a page where less than `height` is left on this one."""
        if self.y + height > _PAGE[1] - _MARGIN:
            self._turn()

    def text(self, words: str, size: int = 21, ink: str = _INK, after: int = 8) -> None:
        """Write a paragraph."""
        for line in wrapped(drawable(words), size, _PAGE[0] - 2 * _MARGIN):
            self.room(size + 10)
            self.draw.text((_MARGIN, self.y), line, fill=ink, font=font(size))
            self.y += round(size * 1.4)
        self.y += after

    def picture(self, image: Image.Image) -> None:
        """Place a picture over the width of the page."""
        width = _PAGE[0] - 2 * _MARGIN
        height = min(round(image.height * width / image.width), _PAGE[1] - 3 * _MARGIN)
        scaled = image.resize((round(image.width * height / image.height), height), Image.Resampling.LANCZOS)
        self.room(height)
        self.page.paste(scaled, (_MARGIN, self.y))
        self.y += height + 16

    def row(self, cells: list[str], ink: str = _INK) -> None:
        """Write a row of the table of flags."""
        self.room(_ROW)
        x = _MARGIN
        for cell, (_, width) in zip(cells, _COLUMNS, strict=True):
            text = shortened(drawable(cell), _CELL, width - 10)
            self.draw.text((x, self.y), text, fill=ink, font=font(_CELL))
            x += width
        self.y += _ROW


def _cells(flag: SavedFlag, *, calibrated: bool) -> list[str]:
    """Return a flag's row."""
    values = flag.properties
    size = f"{number(values.get('length_m'))} x {number(values.get('width_m'))}"
    p = number(values.get("p_value"), 2) if calibrated else "uncalibrated"
    return [
        flag.id, flag.change, flag.scale, str(values.get("zone") or "-"), size,
        contrast_words(values.get("contrast"), str(values.get("sensor"))), p,
    ]  # fmt: skip


def _write_seen(pages: Pages, measured: Mapping[str, Sequence[ClassDetectability]]) -> None:
    """Write what could have been seen, a line for each object, sensor and kind of ground."""
    pages.text("What could have been seen", 26)
    pages.text("Share that would have been flagged where it appeared, and where it vanished:", 19, after=2)
    for group in seen_groups(measured):
        for row in group["rows"]:
            who = f"{group['object']}, {row['sensor']}" if len(measured) > 1 else group["object"]
            shares = f"{row['appeared']['share']} and {row['vanished']['share']}"
            pages.text(f"{who}, on {row['ground']}: {shares}; observable: {row['verdict']}", 17, after=0)
    pages.y += 14


def plain_pages(run: SavedRun) -> list[Image.Image]:
    """Return the gist of a run's report as pages: caveats first, pictures, flags, scenes, licences."""
    manifest, calibrated = run.manifest, bool(run.manifest["calibrated"])
    pages = Pages(run.notice)
    if run.simulated:
        pages.text(SIMULATED, 34, "#7a0f2b")
    pages.text(f"{run.name}: {manifest['before'][:10]} compared with {manifest['after'][:10]}", 32)
    pages.text(f"{plural(len(run.flags), 'change')} flagged on {number(manifest.get('searched_km2'))} km2.", 24)
    pages.text("Read this first", 26)
    statement = manifest["detection"].get("statement")
    caveats = [] if statement is None else [str(statement)]
    caveats.append(f"{percent(manifest.get('searched_valid_share'))} of the searched ground is valid on both dates.")
    caveats.append("A flag says that the ground looks different, not what is there.")
    for line in [*caveats, *map(str, manifest.get("warnings", []))]:
        pages.text(f"- {line}", 19, after=2)
    pages.y += 14
    for part in run.parts:
        pages.picture(comparison_sheet(part))
    pages.text("Flags", 26)
    pages.row([head for head, _ in _COLUMNS], _SOFT)
    for flag in run.flags:
        pages.row(_cells(flag, calibrated=calibrated))
        if named := candidates_text(flag.properties):
            pages.text(f"consistent with: {named}", 16, _SOFT, after=2)
    if measured := run.detectability():
        _write_seen(pages, measured)
    pages.text("Scenes", 26)
    for scene in manifest["scenes"]:
        shown = scene["role"] in ("before", "after") and scene in run.compared_scenes
        taken = stamp(run.acquired(scene["role"])) if shown else scene["acquired"]
        pages.text(f"{scene['role']}: {scene['id']}, {taken}", 19, after=2)
    pages.text("Licences", 26)
    pages.text(f"{run.notice}. The software is revisit, Apache-2.0. report.html beside this run has all of it.", 19)
    return pages.done


def write_pdf(run: SavedRun, path: Path) -> None:
    """Write the report as a PDF.

    Parameters
    ----------
    run
        Whose report.html is printed where Chromium is installed; else its gist is drawn.
    path
        The file.

    Raises
    ------
    UsageError
        Where the browser fails.
    """
    program, page = browser(), run.folder / "report.html"
    if program and page.is_file():
        print_page(program, page.resolve(), path)
        return
    first, *rest = plain_pages(run)
    first.save(path, "PDF", save_all=True, append_images=rest, resolution=_DPI, title=f"{run.name}: {run.notice}")
