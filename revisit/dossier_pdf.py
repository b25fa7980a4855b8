"""The report of a check on paper: printed by Chromium where there is one, else its gist as plain pages."""

from __future__ import annotations

from pathlib import Path

from revisit.check import Dossier
from revisit.claims import Claim
from revisit.dossier import PDF, REPORT
from revisit.dossier_report import LIMITS, METHOD
from revisit.dossier_view import caveat_lines, summary_line
from revisit.evidence import Verdict
from revisit.export.pdf import Pages, browser, print_page
from revisit.flags import SIMULATED
from revisit.manifest import ATTRIBUTION

_SOFT, _WARNING, _DPI = "#4b535d", "#7a0f2b", 150


def _write_claim(pages: Pages, claim: Claim, verdict: Verdict) -> None:
    """Write what was said, the verdict, why, and what would change it."""
    pages.room(220)
    pages.text(f"{claim.id}: {verdict.verdict}", 26, after=2)
    pages.text(f'"{claim.statement}"', 22, after=2)
    said = claim.publication
    pages.text(f"{said.publisher}, {said.published}; {claim.place}; {claim.start} to {claim.end}", 17, _SOFT)
    for reason in verdict.reasons:
        pages.text(f"- {reason}", 19, after=2)
    for scene in verdict.scenes:
        pages.text(scene, 15, _SOFT, after=0)
    for what in verdict.would_change_it:
        pages.text(f"would change it: {what}", 17, _SOFT, after=2)
    pages.y += 16


def plain_pages(dossier: Dossier) -> Pages:
    """Return the gist of a check's report as pages: summary, caveats, a section per claim, method, limits."""
    notice = SIMULATED if dossier.simulated else f"{ATTRIBUTION}."
    pages = Pages(notice)
    if dossier.simulated:
        pages.text(SIMULATED, 30, _WARNING)
    said = dossier.claims.publication
    pages.text(f"Claims checked: {said.title}", 32, after=2)
    pages.text(f"{said.publisher}, {said.published}", 19, _SOFT)
    pages.text(summary_line(dossier), 24)
    pages.text("Read this first", 26)
    for head, text in caveat_lines(dossier):
        pages.text(f"- {head} {text}", 19, after=2)
    pages.y += 16
    verdicts = {verdict.id: verdict for verdict in dossier.verdicts}
    for claim in dossier.claims.claims:
        if claim.id in verdicts:
            _write_claim(pages, claim, verdicts[claim.id])
    for head, lines in (("How it was done", METHOD), ("Limits", LIMITS)):
        pages.text(head, 26)
        for line in lines:
            pages.text(f"- {line}", 18, after=2)
    pages.text(
        "This is the gist, drawn without a browser; report.html holds the pictures, the timeline and all looks.", 18
    )
    return pages


def write_pdf(dossier: Dossier, folder: Path) -> None:
    """Write report.pdf beside the report.html of a check.

    Raises
    ------
    UsageError
        Where the browser fails.
    """
    program = browser()
    if program:
        print_page(program, (folder / REPORT).resolve(), folder / PDF)
        return
    first, *rest = plain_pages(dossier).done
    title = f"Claims checked: {dossier.claims.publication.title}"
    first.save(folder / PDF, "PDF", save_all=True, append_images=rest, resolution=_DPI, title=title)
